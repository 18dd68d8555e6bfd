import { notFound } from 'next/navigation'

export default async function User({ params }) {
  const { id } = await params
  if (id === '0') notFound()
  return <h1>User {id}</h1>
}

import { useLoaderData } from 'react-router'

export const loader = ({ request }: { request: Request }) => ({ query: new URL(request.url).search })

export default function Home() {
  const { query } = useLoaderData<typeof loader>()
  return <h1>Hello {query}</h1>
}

import { Suspense } from 'react'
import { Await, useLoaderData } from 'react-router'

export const loader = () => ({ late: new Promise<string>((resolve) => setTimeout(resolve, 100, 'late')) })

export default function Late() {
  const { late } = useLoaderData<typeof loader>()
  return (
    <Suspense fallback={<p>waiting</p>}>
      <Await resolve={late}>{(text) => <p>{text}</p>}</Await>
    </Suspense>
  )
}

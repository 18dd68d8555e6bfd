import { Suspense } from 'react'

export const dynamic = 'force-dynamic'

async function Late() {
  await new Promise((resolve) => setTimeout(resolve, 100))
  return <p>late</p>
}

export default function Page() {
  return (
    <Suspense fallback={<p>waiting</p>}>
      <Late />
    </Suspense>
  )
}

import { Form, redirect } from 'react-router'

export const action = async ({ request }: { request: Request }) => {
  const form = await request.formData()
  return redirect(`/?name=${form.get('name')}`, { headers: { 'set-cookie': 'saved=1; Path=/' } })
}

export default function Page() {
  return (
    <Form method="post">
      <input name="name" />
    </Form>
  )
}

/** A resource route. */
export const loader = () => Response.json({ ok: true }, { status: 203, headers: { 'x-api': 'yes' } })

export const action = async ({ request }: { request: Request }) => new Response((await request.text()).toUpperCase())

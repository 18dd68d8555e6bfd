/** The app of this service: takespace runs it in its workers, beside the tasks. */
import { Hono } from 'hono'
import { client } from './space.js'

const app = new Hono()

app.get('/', (c) => c.json({ hello: '{{name}}', process: process.pid }))

app.post('/greetings', async (c) => {
  const ticket = await client.enqueue('greet', { name: c.req.query('name') ?? 'nobody' })
  return c.json({ ticket: ticket.id }, 202)
})

app.get('/greetings/:ticket', async (c) => c.json(await client.ticket(c.req.param('ticket')).status()))

export { tasks } from './tasks.js'
export default app

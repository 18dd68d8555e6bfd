/** The app of this service: takespace runs it in its workers, beside the tasks. */
import Fastify from 'fastify'
import { client } from './space.js'

const app = Fastify()

app.get('/', async () => ({ hello: '{{name}}', process: process.pid }))

app.post('/greetings', async (request, reply) => {
  const ticket = await client.enqueue('greet', { name: String(request.query.name ?? 'nobody') })
  return reply.code(202).send({ ticket: ticket.id })
})

app.get('/greetings/:ticket', async (request) => {
  return client.ticket(request.params.ticket).status()
})

export { tasks } from './tasks.js'
export default app

/** The app of this service: takespace runs it in its workers, beside the tasks. */
import express from 'express'
import { client } from './space.js'

const app = express()

app.get('/', (_req, res) => {
  res.json({ hello: '{{name}}', process: process.pid })
})

app.post('/greetings', async (req, res) => {
  const ticket = await client.enqueue('greet', { name: String(req.query.name ?? 'nobody') })
  res.status(202).json({ ticket: ticket.id })
})

app.get('/greetings/:ticket', async (req, res) => {
  res.json(await client.ticket(req.params.ticket).status())
})

export { tasks } from './tasks.js'
export default app

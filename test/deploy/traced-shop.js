// An app whose requests enqueue a task of another service, and call one.
import { createClient, openSpace } from 'takespace'

const space = await openSpace(process.env.TAKESPACE_URL)
const mail = createClient({ space, service: 'mail' })

export default async (_req, res) => {
  const ticket = await mail.enqueue('send', { to: 'ann' })
  const checked = await mail.call('check', 'ann')
  res.end(JSON.stringify({ ticket: ticket.id, checked }))
}

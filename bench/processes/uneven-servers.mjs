/** Four unequal HTTP servers: one is slower by a factor; each handles some requests at a time and queues the others itself. */
import { createServer } from 'node:http'
import { sleeper } from '../apps/sleeper.mjs'
import { begin, options } from './parent.mjs'

for (const [i, port] of options.ports.entries()) {
  const server = createServer(sleeper({ factor: options.factors[i], slots: options.slots }))
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
}
await begin()

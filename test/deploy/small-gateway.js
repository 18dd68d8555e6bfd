// A program with a gateway of its own that admits ten requests, which takes orders by their schema.
import { defineEntry, openSpace } from 'takespace'
import { createGateway } from 'takespace/gateway'
import { z } from 'zod'

const [port, adminPort] = process.argv.slice(2).map(Number)
const Order = defineEntry('Order', { schema: z.object({ amount: z.number() }) })

const space = await openSpace(process.env.TAKESPACE_URL)
await createGateway({ space, port, limits: { inFlight: 10 }, admin: { port: adminPort } }).start()
process.once('SIGTERM', () => space.close())
console.log('the program is ready')
try {
  for (;;) await space.take(Order)
} catch (error) {
  if (error.code !== 'SPACE_CLOSED') throw error
}

/** Calls an action of another Moleculer node, over Redis. */
import { ServiceBroker } from 'moleculer'
import { closedLoop, payload } from './loop.mjs'
import { options } from './parent.mjs'

const broker = new ServiceBroker({ nodeID: 'client', transporter: options.url, logger: false, requestTimeout: 30_000 })
await broker.start()
await broker.waitForServices('bench', 20_000)

await closedLoop(async () => {
  const text = payload()
  const result = await broker.call('bench.echo', { text })
  if (result.text !== text) throw new Error('the result is not the echo of its call')
})

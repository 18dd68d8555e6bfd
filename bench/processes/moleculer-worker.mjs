/** A Moleculer service with one action, over Redis. */
import { ServiceBroker } from 'moleculer'
import { begin, options } from './parent.mjs'

const broker = new ServiceBroker({ nodeID: 'worker', transporter: options.url, logger: false })
broker.createService({ name: 'bench', actions: { echo: ({ params }) => params } })
await broker.start()
await begin()

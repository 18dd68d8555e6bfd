/** The app served by node:http alone: what going through the space is compared with. */
import { createServer } from 'node:http'
import { begin, options } from './parent.mjs'

const { default: app } = await import(options.app)
const server = createServer(app)
await new Promise((resolve, reject) => server.once('error', reject).listen(options.httpPort, '127.0.0.1', resolve))
await begin()

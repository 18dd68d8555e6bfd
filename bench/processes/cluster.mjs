/** The app on node:cluster: a primary process that hands connections to workers in turn. */
import cluster from 'node:cluster'
import { createServer } from 'node:http'
import { begin, options as given } from './parent.mjs'

const { app, httpPort, processes } = given
if (cluster.isPrimary) {
  cluster.setupPrimary({ args: process.argv.slice(2) })
  const listening = Array.from({ length: processes }, () => {
    const worker = cluster.fork()
    return new Promise((resolve) => worker.once('listening', resolve))
  })
  process.once('exit', () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL')
  })
  await Promise.all(listening)
  await begin()
} else {
  const { default: handler } = await import(app)
  createServer(handler).listen(httpPort, '127.0.0.1')
}

// With `node --import`: lists the packages, and the joined files of takespace, that a process has loaded, one per line
// on standard error, when it exits.
import module, { createRequire } from 'node:module'
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'

const { port1, port2 } = new MessageChannel()
port1.unref()
const hooks = `let port
export const initialize = (data) => { port = data.port }
export const load = (url, context, next) => { port.postMessage(url); return next(url, context) }`
const data = `data:text/javascript,${encodeURIComponent(hooks)}`
module.register(data, { data: { port: port2 }, transferList: [port2] })

process.on('exit', () => {
  const files = Object.keys(createRequire(import.meta.url).cache)
  for (let got = receiveMessageOnPort(port1); got; got = receiveMessageOnPort(port1)) files.push(got.message)
  const nameOf = (file) =>
    /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? /\/dist\/(chunks\/.*)/.exec(file)?.[1]
  const names = files.map(nameOf).filter(Boolean)
  for (const name of new Set(names)) process.stderr.write(`loaded ${name}\n`)
})

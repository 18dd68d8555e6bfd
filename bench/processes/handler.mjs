/** A worker whose handler echoes the body; it may write an entry first, in the transaction of its request or beside it. */
import { defineEntry, openSpace } from '../../dist/src/index.js'
import { createWorker, currentRequest } from '../../dist/workers/index.js'
import { begin, options } from './parent.mjs'

const Result = defineEntry('Result')
const space = await openSpace(options.url, { name: options.name })
let count = 0
const result = () => Result({ id: `r${++count}`, service: 'echo' })

const FORMS = {
  answer: () => undefined,
  beside: () => space.write(result()),
  within: () => space.write(result(), { tx: currentRequest().transaction }),
}
const form = FORMS[options.form]

async function app(req, res) {
  const chunks = []
  for await (const chunk of req) chunks.push(chunk)
  await form()
  res.end(Buffer.concat(chunks))
}

await createWorker({ space, app, service: 'echo', concurrency: 512 }).start()
await begin()

// A worker that says when a handler begins, when its signal fires and when it ends. A handler ends after ?ms=, or never.
// Arguments: url, service.
import { openSpace } from '../../../dist/src/index.js'
import { createWorker, currentRequest } from '../../../dist/workers/index.js'

const [url, service] = process.argv.slice(2)
const space = await openSpace(url)
const say = (what, { url }) =>
  console.log(`${what} ${url} at ${Math.round(performance.timeOrigin + performance.now())}`)
const app = (req, res) => {
  say('began', req)
  const { signal } = currentRequest()
  const ms = new URL(req.url, 'http://a').searchParams.get('ms')
  const end = () => {
    if (signal.aborted) return
    say('ended', req)
    res.end()
  }
  if (ms !== null) setTimeout(end, Number(ms))
  signal.addEventListener('abort', () => say('signal', req))
}
await createWorker({ space, app, service, stopTimeoutMs: 0 }).start()
process.on('SIGTERM', () => space.close())
console.log('ready')

/** An Express app with event streams: one handler that ends its timer when its client leaves, as most do, and one that forgets it. */
import express from 'express'

const EVERY_MS = 1_000

/** Begins an event stream and returns the timer that writes it. */
function begin(res) {
  res.set('content-type', 'text/event-stream')
  res.flushHeaders()
  res.write('data: hello\n\n')
  return setInterval(() => res.write(`data: ${Date.now()}\n\n`), EVERY_MS)
}

const app = express()
app.get('/', (_req, res) => res.end())
app.get('/usual', (req, res) => {
  const timer = begin(res)
  req.on('close', () => clearInterval(timer))
})
app.get('/forgetful', (_req, res) => void begin(res))
export default app

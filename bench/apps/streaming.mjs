/** An app of streams: uploads that are hashed, downloads that are made, events, a WebSocket echo; it notes in LEDGER who began and who saw an end. */
import { createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'

const note = (event, url) => {
  const { LEDGER } = process.env
  if (LEDGER) appendFileSync(LEDGER, `${JSON.stringify({ event, url, pid: process.pid, at: Date.now() })}\n`)
}

/** A megabyte whose bytes tell their place. */
const PIECE = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8)) & 255))

async function up(req, res) {
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for await (const chunk of req) {
      if (bytes === 0) note('reading', req.url)
      bytes += chunk.length
      hash.update(chunk)
    }
    res.end(JSON.stringify({ bytes, hash: hash.digest('hex'), pid: process.pid }))
  } catch {
    note('broken', req.url)
  }
}

async function down(res, bytes, size) {
  res.writeHead(200, { 'content-type': 'application/octet-stream' })
  const closed = new Promise((over) => res.once('close', over))
  for (let left = bytes; left > 0 && !res.destroyed; left -= PIECE.length) {
    const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE
    for (let at = 0; at < piece.length; at += size) {
      if (res.write(piece.subarray(at, at + size))) continue
      await Promise.race([new Promise((go) => res.once('drain', go)), closed])
      if (res.destroyed) return
    }
  }
  res.end()
}

function events(req, res, perSecond) {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'x-pid': String(process.pid) })
  const from = Number(req.headers['last-event-id'] ?? 0)
  let n = from
  res.flushHeaders()
  const timer = setInterval(() => res.write(`id: ${++n}\ndata: ${Date.now()}\n\n`), 1_000 / perSecond)
  res.on('close', () => clearInterval(timer))
}

const server = createServer((req, res) => {
  const url = new URL(req.url, 'http://a')
  const figure = (name, otherwise) => Number(url.searchParams.get(name) ?? otherwise)
  note('begun', req.url)
  res.on('close', () => {
    if (!res.writableFinished) note('aborted', req.url)
  })
  if (url.pathname === '/up') void up(req, res)
  else if (url.pathname === '/down') void down(res, figure('bytes', 1 << 20), figure('chunk', 65_536))
  else if (url.pathname === '/events') events(req, res, figure('perSecond', 10))
  else if (url.pathname === '/wait') setTimeout(() => res.end('waited'), figure('ms', 1_000))
  else res.end('ok')
})
new WebSocketServer({ server, path: '/ws' }).on('connection', (socket) => {
  note('opened', '/ws')
  socket.on('message', (data, binary) => socket.send(data, { binary }))
  socket.on('close', (code) => note(`closed ${code}`, '/ws'))
})

export default server

/** Promises 3 to 6, 9 and 11 for bodies that go bit by bit: whoever dies, goes or is cut, nothing that is short looks whole, and nothing is left. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { WebSocket } from 'ws'
import { type Streaming, startStreaming } from '../streams/system.js'
import { failOnLeaks } from '../support/leaks.js'
import { entriesIn, type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, report, spread } from './form.js'
import { testInLongForm } from './long-form.js'
import { row } from './table.js'

let redis: Redis
let system: Streaming | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true, appendfsync: 'always' })
})
afterEach(async () => {
  await system?.destroy()
  system = undefined
})
afterAll(() => redis.stop())

const PIECE = Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 7) & 255))

function begin(url: string, method = 'GET', headers: Record<string, string> = {}) {
  const req = httpRequest(url, { method, headers, agent: false })
  req.on('error', () => {}).setMaxListeners(0)
  const response = new Promise<IncomingMessage>(
    (resolve, reject) => void req.on('response', resolve).on('error', reject),
  )
  response.catch(() => {})
  if (method === 'GET') req.end()
  return { req, response }
}

async function all(res: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of res) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Writes so many pieces as fast as they are taken; answers their hash. */
async function upload(req: ClientRequest, pieces: number, between = async (_n: number): Promise<void> => {}) {
  const hash = createHash('sha256')
  for (let i = 0; i < pieces; i++) {
    hash.update(PIECE)
    if (!req.write(PIECE)) await Promise.race([once(req, 'drain'), once(req, 'close')])
    await between(i)
  }
  req.end()
  return hash.digest('hex')
}

const readers = (path: string): number[] =>
  system!
    .notes()
    .filter(({ event, url }) => event === 'reading' && url === path)
    .map(({ pid }) => pid)

describe.each([
  ['directly', 'host'],
  ['through Redis', 'off'],
])('%s', (way, directStreams) => {
  // The other way takes as long again.
  const inOneWay = way === 'directly' ? test : testInLongForm

  inOneWay(
    'a PUT whose worker dies while it reads is given whole to another one; a POST gets 502, and so does what is longer than is kept',
    async () => {
      system = await startStreaming(redis, { directStreams, gatewayFlags: ['--max-replay-bytes', String(2 << 20)] })
      const [url] = system.urls as [string]
      const cases = [
        { method: 'PUT', path: '/up?kept', pieces: 24, status: 200 },
        { method: 'POST', path: '/up?posted', pieces: 24, status: 502 },
        { method: 'PUT', path: '/up?long', pieces: form(160, 400), status: 502 },
      ]
      for (const { method, path, pieces, status } of cases) {
        const { req, response } = begin(url + path, method)
        let killed = 0
        const sent = upload(req, pieces, async (n) => {
          if (n !== Math.floor(pieces * 0.75)) return
          await until(() => readers(path).length > 0, 'a worker reads it')
          killed = readers(path)[0]!
          process.kill(killed, 'SIGKILL')
        })
        const res = await response
        const body = await all(res)
        expect([path, res.statusCode]).toEqual([path, status])
        if (status === 200) {
          const told = JSON.parse(body.toString())
          expect(told).toEqual({ bytes: pieces * PIECE.length, hash: await sent, pid: expect.any(Number) })
          expect(told.pid).not.toBe(killed)
          expect(readers(path).length).toBe(2)
        } else {
          expect(JSON.parse(body.toString()).code).toBe('WORKER_LOST')
          expect(readers(path).length).toBe(1)
          req.destroy()
        }
      }
      await system.drain()
    },
  )

  // The short form has the same of a GET in `test/whole/cli-stuck.test.ts`.
  testInLongForm('a PUT that kills each worker kills three, and is set aside', async () => {
    system = await startStreaming(redis, { directStreams })
    const path = '/up?poison'
    const { req, response } = begin(system.urls[0] + path, 'PUT')
    const sending = upload(req, 40)
    for (let n = 1; n <= 3; n++) {
      await until(() => readers(path).length === n, `worker ${n} reads it`)
      process.kill(readers(path)[n - 1]!, 'SIGKILL')
    }
    const res = await response
    expect([res.statusCode, JSON.parse((await all(res)).toString()).code]).toEqual([502, 'DELIVERIES_EXHAUSTED'])
    await sending
    expect(await redis.cli('ZCARD', '{ts:default}:free@takespace.DeadLetter')).toBe('1')
    // As its operator does who has looked into it.
    await redis.cli('FLUSHALL')
  })

  inOneWay('killing a worker is seen by each of its clients, and by no other', async () => {
    const clients = form(20, 200)
    system = await startStreaming(redis, { directStreams, processes: form(2, 3) })
    const events = await Promise.all(
      Array.from({ length: clients }, async (_, n) => {
        const res = await begin(`${system!.urls[0]}/events?client=${n}`).response
        const seen = { pid: Number(res.headers['x-pid']), bytes: 0, brokenAt: 0, res }
        res.on('data', (bytes: Buffer) => {
          seen.bytes += bytes.length
        })
        res.on('error', () => {
          seen.brokenAt = performance.now()
        })
        return seen
      }),
    )
    await until(() => events.every(({ bytes }) => bytes > 0), 'each client has had an event')
    const [{ pid }] = events as [(typeof events)[0]]
    const killedAt = performance.now()
    process.kill(pid, 'SIGKILL')
    const its = events.filter((seen) => seen.pid === pid)
    const others = events.filter((seen) => seen.pid !== pid)
    expect([its.length, others.length].every((n) => n > 0)).toBe(true)
    await until(() => its.every(({ brokenAt }) => brokenAt > 0), 'each of its clients sees it')
    const before = others.map(({ bytes }) => bytes)
    await until(() => others.every(({ bytes }, i) => bytes > before[i]!), 'the others go on')
    expect(others.filter(({ brokenAt }) => brokenAt > 0)).toEqual([])
    const { median, most } = spread(its.map(({ brokenAt }) => brokenAt - killedAt))
    report('kill -9 of a worker with event streams', { clients: its.length, medianMs: median, mostMs: most })
    row(`worker killed, event streams ${way}`, {
      requests: clients,
      failed: its.length,
      twice: 0,
      longestMs: most,
      hits: `1 worker with ${its.length} streams`,
    })
    for (const { res } of events) res.destroy()
    await until(
      () => system!.notes().filter(({ event }) => event === 'aborted').length === others.length,
      'the other workers hear that their clients have gone',
    )
    await system.drain()
  })

  inOneWay('clients that go: what waits is never begun, what runs is aborted, and nothing is left', async () => {
    const clients = form(60, 1_000)
    system = await startStreaming(redis, { directStreams, processes: 2, concurrency: 8 })
    const requests = Array.from({ length: clients }, (_, n) => begin(`${system!.urls[0]}/wait?ms=20000&client=${n}`))
    const begun = () => system!.notes().filter(({ event }) => event === 'begun')
    await until(() => begun().length === 16, 'the workers have what they have room for')
    const written = () => entriesIn(redis)
    await until(async () => (await written()) === clients, 'all others wait in the space')
    const goneAt = Date.now()
    for (const { req } of requests) req.destroy()
    await until(async () => (await written()) === 0, 'all have been withdrawn')
    const withdrawnMs = Date.now() - goneAt
    const aborted = () => system!.notes().filter(({ event }) => event === 'aborted')
    await until(() => aborted().length === 16, 'each that ran has been aborted')
    const abortedMs = Math.max(...aborted().map(({ at }) => at - goneAt))
    expect(begun().length).toBe(16)
    report('clients reset', { clients, running: 16, withdrawnMs, abortedMs })
    await system.drain()
  })

  inOneWay('a gateway that is killed: who worked for its clients is told so', async () => {
    system = await startStreaming(redis, { directStreams, gateways: 2 })
    begin(`${system.urls[0]}/wait?ms=20000`)
    const streaming = begin(`${system.urls[0]}/events`)
    const uploading = begin(`${system.urls[0]}/up`, 'PUT')
    uploading.req.write(PIECE)
    uploading.req.write(PIECE)
    await streaming.response
    await until(() => readers('/up').length === 1, 'the upload is read')
    await until(() => system!.notes().some(({ url }) => url.startsWith('/wait')), 'the other one is begun')
    system.gateways[0]!.kill('SIGKILL')
    const ends = () => system!.notes().filter(({ event }) => event === 'aborted' || event === 'broken')
    await until(() => ends().filter(({ event }) => event === 'aborted').length === 3, 'all three are aborted')
    await until(() => ends().some(({ event, url }) => event === 'broken' && url === '/up'), 'its reader hears of it')
    const other = await fetch(`${system.urls[1]}/`)
    expect(await other.text()).toBe('ok')
    system.supervisor.kill('SIGTERM')
    await system.supervisor.exited
  })

  inOneWay('an upload that takes longer than its deadline goes on over a restart of Redis', async () => {
    system = await startStreaming(redis, { directStreams, gatewayFlags: ['--timeout-ms', '2000'] })
    const path = '/up?restart'
    const { req, response } = begin(system.urls[0] + path, 'POST')
    const pieces = 40
    const sent = upload(req, pieces, async (n) => {
      if (n === 10) {
        await until(() => readers(path).length === 1, 'a worker reads it')
        await redis.kill()
        await redis.restart()
      }
      // Bytes that go on flowing, for longer than the deadline would be.
      await new Promise((resolve) => setTimeout(resolve, 80))
    })
    const res = await response
    const told = JSON.parse((await all(res)).toString())
    expect([res.statusCode, told.bytes, told.hash]).toEqual([200, pieces * PIECE.length, await sent])
    expect(readers(path).length).toBe(1)
    await system.drain()
  })

  inOneWay('a WebSocket whose worker is killed is closed with 1012; one whose worker stops, too', async () => {
    const count = form(20, 200)
    system = await startStreaming(redis, { directStreams, processes: 2 })
    const open = async () => {
      const sockets = Array.from({ length: count }, () => new WebSocket(`${system!.urls[0]!.replace('http', 'ws')}/ws`))
      await Promise.all(sockets.map((socket) => new Promise((ok, no) => void socket.on('open', ok).on('error', no))))
      return sockets
        .map((socket) => ({ socket, code: 0, got: [] as string[] }))
        .map((client) => {
          client.socket.on('message', (data) => client.got.push(String(data)))
          client.socket.on('close', (code) => {
            client.code = code
          })
          return client
        })
    }
    const clients = await open()
    for (const { socket } of clients) for (let n = 0; n < 100; n++) socket.send(`message ${n}`)
    await until(() => clients.every(({ got }) => got.length === 100), 'all have come back')
    for (const { got } of clients) expect(got).toEqual(Array.from({ length: 100 }, (_, n) => `message ${n}`))
    const pids = new Set(
      system
        .notes()
        .filter(({ event }) => event === 'opened')
        .map(({ pid }) => pid),
    )
    const [pid] = [...pids]
    process.kill(pid!, 'SIGKILL')
    const its = system.notes().filter((note) => note.event === 'opened' && note.pid === pid).length
    await until(() => clients.filter(({ code }) => code === 1012).length === its, 'its clients are told')
    system.supervisor.kill('SIGTERM')
    await until(() => clients.every(({ code }) => code === 1012), 'all are told')
    await system.supervisor.exited
  })
})

test('links that are cut lose no byte, either way, however often', async () => {
  system = await startStreaming(redis, { directStreams: 'off' })
  const bytes = form(16, 200) << 20
  const hash = createHash('sha256')
  const before = Number(/total_connections_received:(\d+)/.exec(await redis.cli('INFO', 'stats'))![1])
  const down = await begin(`${system.urls[0]}/down?bytes=${bytes}`).response
  const { req, response } = begin(`${system.urls[0]}/up?cut`, 'POST')
  let cuts = 0
  let over = false
  const cutting = (async () => {
    while (!over) {
      // The connections of bodies: subscribed to messages, or not subscribed at all.
      const clients = await redis.cli('CLIENT', 'LIST')
      const ids = [...clients.matchAll(/^id=(\d+) .*cmd=(?:spublish|ssubscribe)/gm)].map(([, id]) => id!)
      const id = ids[cuts % Math.max(ids.length, 1)]
      if (id && (await redis.cli('CLIENT', 'KILL', 'ID', id)) === '1') cuts++
      await new Promise((resolve) => setTimeout(resolve, 120))
    }
  })()
  const sent = upload(req, bytes / PIECE.length)
  let got = 0
  for await (const chunk of down) {
    hash.update(chunk)
    got += chunk.length
  }
  const told = JSON.parse((await all(await response)).toString())
  over = true
  await cutting
  const expected = createHash('sha256')
  const made = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8)) & 255))
  for (let left = bytes; left > 0; left -= made.length) expected.update(made)
  expect([got, hash.digest('hex')]).toEqual([bytes, expected.digest('hex')])
  expect([told.bytes, told.hash]).toEqual([bytes, await sent])
  const after = Number(/total_connections_received:(\d+)/.exec(await redis.cli('INFO', 'stats'))![1])
  expect(cuts).toBeGreaterThanOrEqual(2)
  expect(after - before).toBeGreaterThan(cuts)
  report('links of bodies cut', { bytes: 2 * bytes, cuts })
  await system.drain()
})

failOnLeaks()

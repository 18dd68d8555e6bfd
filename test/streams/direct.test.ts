/** The direct way: bodies between gateway and worker past Redis if the two can connect, through Redis if not. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { isLong } from '../faults/form.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type Streaming, startStreaming } from './system.js'

let redis: Redis
let system: Streaming | undefined
const elsewhere = mkdtempSync(join(tmpdir(), 'takespace-elsewhere-'))
beforeAll(async () => {
  redis = await startRedis()
})
afterEach(async () => {
  await system?.destroy()
  system = undefined
})
afterAll(async () => {
  await redis.stop()
  rmSync(elsewhere, { recursive: true })
})

const MIB = 1 << 20
const BYTES = 16 * MIB
const PIECE = Buffer.from(Array.from({ length: MIB }, (_, i) => (i * 31 + (i >> 8)) & 255))
const FOLDER = join(tmpdir(), `takespace-${process.getuid!()}`)

const hashOf = (mib: number): string => {
  const hash = createHash('sha256')
  for (let i = 0; i < mib; i++) hash.update(PIECE)
  return hash.digest('hex')
}

async function upload(url: string): Promise<{ bytes: number; hash: string }> {
  const req = request(`${url}/up`, { method: 'POST', agent: false })
  const response = once(req, 'response')
  for (let i = 0; i < BYTES / MIB; i++) if (!req.write(PIECE)) await once(req, 'drain')
  req.end()
  const [res] = await response
  let text = ''
  for await (const chunk of res) text += chunk
  return JSON.parse(text)
}

async function download(url: string): Promise<{ bytes: number; hash: string }> {
  const res = await fetch(`${url}/down?bytes=${BYTES}`)
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of res.body!) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { bytes, hash: hash.digest('hex') }
}

const exact = { bytes: BYTES, hash: hashOf(BYTES / MIB) }

/** The bytes that Redis has been sent so far. */
const sentToRedis = async (): Promise<number> =>
  Number(/total_net_input_bytes:(\d+)/.exec(await redis.cli('INFO', 'stats'))![1])

/** Sends a body each way, checks them, and returns how many bytes Redis was sent meanwhile. */
async function bothWays(url: string): Promise<number> {
  const before = await sentToRedis()
  expect(await upload(url)).toMatchObject(exact)
  expect(await download(url)).toEqual(exact)
  return (await sentToRedis()) - before
}

test('on one host bodies go from process to process: Redis sees next to nothing of them', async () => {
  system = await startStreaming(redis, { processes: 1 })
  await download(system.urls[0]!)
  expect(await bothWays(system.urls[0]!)).toBeLessThan(BYTES / 16)
  const socket = readdirSync(FOLDER).filter((name) => name.endsWith('.sock'))
  await system.drain()
  const left = new Set(readdirSync(FOLDER))
  expect(socket.some((name) => !left.has(name))).toBe(true)
})

test('each process of a gateway has a socket of its own', async () => {
  system = await startStreaming(redis, { processes: 1, gatewayFlags: ['--processes', '2'] })
  for (let i = 0; i < 4; i++) await download(system.urls[0]!)
  for (let i = 0; i < 2; i++) expect(await bothWays(system.urls[0]!)).toBeLessThan(BYTES / 16)
  await system.drain()
})

test('over TCP, if both sides ask for it', async () => {
  const directStreams = `127.0.0.1:${await freePort()}`
  system = await startStreaming(redis, {
    processes: 1,
    gatewayFlags: ['--direct-streams', directStreams],
    workerFlags: ['--direct-streams', 'network'],
    workerEnv: { TMPDIR: elsewhere },
  })
  await download(system.urls[0]!)
  expect(await bothWays(system.urls[0]!)).toBeLessThan(BYTES / 16)
  await system.drain()
})

/** The short form has one who does not want it, and one who cannot. */
const REASONS: readonly (readonly [what: string, terms: Parameters<typeof startStreaming>[1], inShort?: true])[] = [
  ['the gateway has it off', { gatewayFlags: ['--direct-streams', 'off'] }],
  ['the worker has it off', { workerFlags: ['--direct-streams', 'off'] }, true],
  ['the worker cannot reach the socket', { workerEnv: { TMPDIR: elsewhere } }, true],
  [
    'the worker does not ask for TCP',
    { gatewayFlags: ['--direct-streams', '127.0.0.1:0'], workerEnv: { TMPDIR: elsewhere } },
  ],
]

test.each(REASONS.filter(([, , inShort]) => isLong || inShort).map(([what, terms]) => [what, terms] as const))(
  'bodies go through Redis if %s',
  async (_, terms) => {
    system = await startStreaming(redis, { processes: 1, ...terms })
    await download(system.urls[0]!)
    expect(await bothWays(system.urls[0]!)).toBeGreaterThan(2 * BYTES)
    await system.drain()
  },
)

test('strangers at the door are closed and counted, whatever they say, and streams go on', async () => {
  // Gateways of other tests have their sockets in the usual folder.
  system = await startStreaming(redis, {
    processes: 1,
    gatewayFlags: ['--admin-port', '0'],
    env: { TMPDIR: elsewhere },
  })
  const [, admin] = await system.gateways[0]!.line(/"adminUrl":"([^"]+)"/)
  const metric = async (name: string): Promise<number> => {
    const lines = (await (await fetch(`${admin}/metrics`)).text()).split('\n')
    return Number(lines.find((line) => line.startsWith(`${name} `))!.slice(name.length))
  }
  await download(system.urls[0]!)
  await until(async () => (await metric('takespace_direct_connections')) === 1, 'the worker has connected')
  const folder = join(elsewhere, basename(FOLDER))
  const [name] = readdirSync(folder)
  const words = [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    `takespace-streams/1 ${'A'.repeat(22)} ${'B'.repeat(43)}\n`,
    'x'.repeat(100_000),
    '\n',
    '',
  ]
  for (const text of words) {
    const socket = connect(join(folder, name!))
    let got = 0
    socket.on('data', (bytes) => {
      got += bytes.length
    })
    const closed = new Promise((resolve) => socket.on('error', () => {}).on('close', resolve))
    socket.write(text)
    await closed
    expect(got).toBe(0)
  }
  expect(await metric('takespace_direct_refused_total')).toBe(words.length)
  expect(await bothWays(system.urls[0]!)).toBeLessThan(BYTES / 16)
  expect(await metric('takespace_direct_connections')).toBe(1)
  expect(await metric('takespace_streams_total{way="direct"}')).toBeGreaterThanOrEqual(2)
  await system.drain()
})

failOnLeaks()

/** A request has one id, in the app, the response and the logs: that of a trusted proxy, if it is valid, else that of its entry. */
import { createServer } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { WebSocket, WebSocketServer } from 'ws'
import { createGateway, type Gateway, type TrustProxy } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { createWorker, currentRequest, type Worker } from '../../workers/index.js'
import { listening } from '../workers/turns.js'
import { type Answer, ask } from './serving.js'

let space: Space
let gateway: Gateway
let worker: Worker
let log: ReturnType<typeof listening>
/** What the app saw: its id, its header field, the entries that its process holds. */
let seen: unknown[][]

beforeEach(async () => {
  space = await openSpace('memory:')
  log = listening()
  seen = []
})
afterEach(() => space.close())

async function start(trustProxy?: TrustProxy): Promise<void> {
  const server = createServer((req, res) => {
    seen.push([currentRequest().id, req.headers['x-request-id'], worker.turns.ids()])
    if (req.url === '/throws') throw new Error('thrown')
    if (req.url === '/streamed') res.write('first')
    res.end('done')
  })
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (req, socket, head) => {
    seen.push([currentRequest().id, req.headers['x-request-id']])
    sockets.handleUpgrade(req, socket, head, (each) => each.close())
  })
  gateway = createGateway({ space, port: 0, trustProxy, logger: log, limits: { bodyBytes: 10 } })
  worker = createWorker({ space, app: server, logger: log })
  await Promise.all([worker.start(), gateway.start()])
}

const get = (id: string | string[], options: Parameters<typeof ask>[1] = {}): Promise<Answer> =>
  ask(Number(new URL(gateway.url).port), { ...options, headers: { 'X-Request-Id': id, ...options.headers } })

const requests = (): Record<string, unknown>[] =>
  log.lines.filter(({ message }) => message === 'request').map(({ fields }) => fields)

const VALID = [
  '7f3c1b',
  '550e8400-e29b-41d4-a716-446655440000',
  'Root=1-67891233-abcdef012345678912345678',
  'C0A80101:C1A2_7F000001:1F90_5DDC1A2B_0001:7D',
  'x'.repeat(128),
]

describe('from a trusted proxy', () => {
  test.each(VALID)('%s is the id in the app, the response and both logs', async (id) => {
    await start('loopback')
    expect((await get(id)).headers['x-request-id']).toBe(id)
    expect((await get(id, { path: '/throws' })).headers['x-request-id']).toBe(id)
    await gateway.stop()
    expect(seen.map(([own, field]) => [own, field])).toEqual([
      [id, id],
      [id, id],
    ])
    expect(requests()).toMatchObject([{ id }, { id }])
    expect(log.lines.find(({ message }) => message === 'the handler failed')?.fields).toMatchObject({ id })
    expect(log.lines.find(({ message }) => message === 'answered')?.fields).toMatchObject({ id })
  })

  test('the space knows a request by its entry, which the log names: two requests may have one id', async () => {
    await start('loopback')
    await Promise.all([get('same'), get('same')])
    await gateway.stop()
    const entries = requests().map(({ entry }) => entry)
    expect(new Set(entries).size).toBe(2)
    expect(entries).toContain((seen[0]![2] as string[])[0])
  })

  test('refusals, streamed responses, repeated answers and WebSockets have it', async () => {
    await start('loopback')
    const refused = await get('refused', { method: 'POST', body: 'more than ten bytes' })
    expect([refused.status, refused.headers['x-request-id']]).toEqual([413, 'refused'])
    expect((await get('streamed', { path: '/streamed' })).headers['x-request-id']).toBe('streamed')
    const keyed = { method: 'POST', headers: { 'Idempotency-Key': 'a' } }
    expect((await get('first', keyed)).headers['x-request-id']).toBe('first')
    expect((await get('again', keyed)).headers['x-request-id']).toBe('again')
    const socket = new WebSocket(gateway.url.replace('http', 'ws'), { headers: { 'X-Request-Id': 'upgraded' } })
    const id = await new Promise((resolve) =>
      socket.on('upgrade', ({ headers }) => resolve(headers['x-request-id'])).on('error', resolve),
    )
    await new Promise((resolve) => socket.on('close', resolve))
    expect(id).toBe('upgraded')
    expect(seen.map(([own]) => own)).toEqual(['streamed', 'first', 'upgraded'])
  })

  test.each<[string | string[]]>([
    ['x'.repeat(129)],
    [''],
    ['two words'],
    ['"quoted"'],
    ['<script>'],
    ['caf\u00e9'],
    [['one', 'two']],
  ])('%p is not an id', async (id) => {
    await start('loopback')
    const answer = (await get(id)).headers['x-request-id']
    expect(answer).toBe(seen[0]![0])
    expect(String([id].flat())).not.toContain(answer)
    expect(seen[0]![2]).toEqual([answer])
  })
})

test('from other peers the field is not the id; the app gets it as on its own socket', async () => {
  await start()
  const answer = (await get('theirs')).headers['x-request-id'] as string
  await gateway.stop()
  expect(seen).toEqual([[answer, 'theirs', [answer]]])
  expect(answer).not.toBe('theirs')
  expect(requests()).toEqual([expect.objectContaining({ id: answer, entry: undefined })])
})

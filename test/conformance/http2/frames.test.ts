/** Frames of HTTP/2 by the sections of RFC 9113: the gateway fails no check that node:http2 alone passes. */
import { once } from 'node:events'
import { createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { ask, type Served, serving } from '../../gateway/serving.js'
import { failOnLeaks } from '../../support/leaks.js'
import { until } from '../../support/until.js'
import { CHECKS, type Check } from './checks.js'
import { Frames, type Outcome } from './frames.js'

let gateway: Served
let node: Http2Server
beforeAll(async () => {
  gateway = await serving(() => ({ body: Buffer.from('fine') }), { h2c: true })
  node = createServer((req, res) => void req.resume().on('end', () => res.end('fine')))
  node.on('sessionError', () => {})
  await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  node.close()
})

/** What neither has answered by then is let pass. */
const DECIDED_MS = 5_000

async function outcomeOf(port: number, { bytes, alone }: Check): Promise<Outcome> {
  const client = new Frames(port, !alone)
  client.send(bytes)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => resolve({ ended: 'NOTHING', code: undefined }), DECIDED_MS)
  })
  const outcome = await Promise.race([client.outcome(), late])
  clearTimeout(timer)
  client.socket.destroy()
  return outcome
}

const ALLOWED: Record<Check['expected'], readonly string[]> = {
  connection: ['GOAWAY', 'CLOSED'],
  // A malformed request may be answered with an error, too (RFC 9113 §8.1.1).
  stream: ['RST_STREAM', 'GOAWAY', 'CLOSED', 'REFUSAL'],
  answer: ['ANSWER'],
  ping: ['PING'],
}

const [BROKEN] = CHECKS.filter(({ what }) => what === 'RST_STREAM of 3 bytes') as [Check]

/** The end of a session whose client stays. It takes 20 s, so it begins before all the others. */
let stayed: Promise<unknown>
beforeAll(() => {
  const client = new Frames(gateway.port, true)
  stayed = once(client.socket, 'close')
  client.send(BROKEN.bytes)
})

/** Those of the gateway and of node:http2, one of each for a check; all at a time. */
let outcomes: (readonly [Outcome, Outcome])[]
beforeAll(async () => {
  const ofNode = (node.address() as AddressInfo).port
  const both = (check: Check) => Promise.all([outcomeOf(gateway.port, check), outcomeOf(ofNode, check)])
  outcomes = await Promise.all(CHECKS.map(both))
})

test.each(CHECKS.map(({ section, what, expected }, i) => [section, what, expected, i] as const))(
  '§%s: %s',
  (_section, _what, expected, i) => {
    const [ofGateway, ofNode] = outcomes[i]!
    if (ALLOWED[expected].includes(ofNode.ended)) expect(ALLOWED[expected]).toContain(ofGateway.ended)
  },
)

// It fails three of 72: a smaller stream, a stream that depends on itself, a line feed in a value.
test('node:http2 itself passes nearly all', () => {
  const passed = CHECKS.filter(({ expected }, i) => ALLOWED[expected].includes(outcomes[i]![1].ended))
  expect(passed.length).toBeGreaterThan(0.85 * CHECKS.length)
})

describe('a session that an error has ended while it had a stream', () => {
  test('is closed when the gateway stops, which still answers what it has', async () => {
    let answer = (): void => {}
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    const work = async ({ method }: { readonly method: string }) => {
      if (method === 'GET') await held
      return { body: Buffer.from('fine') }
    }
    const stopping = await serving(work, { h2c: true })
    const asked = ask(stopping.port)
    await until(() => stopping.seen.length > 0, 'a worker has the request')
    const client = new Frames(stopping.port, true)
    const closed = once(client.socket, 'close')
    client.send(BROKEN.bytes)
    expect((await client.outcome()).ended).toBe('GOAWAY')
    const stopped = stopping[Symbol.asyncDispose]()
    // The end of the drain would cut off both.
    await closed
    answer()
    expect((await asked).status).toBe(200)
    await stopped
  })

  test('is closed, also if its client stays', () => stayed)
})

failOnLeaks()

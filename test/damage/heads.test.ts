/** Heads of requests and responses: each value arrives as it was, and what a stranger wrote ends in one clear error. */
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createGateway } from '../../gateway/index.js'
import { createClient } from '../../src/client.js'
import type { Delivery, Outcome } from '../../src/engine.js'
import { appTemplate, requestEntry } from '../../src/request/kinds.js'
import {
  decodeRequest,
  decodeResponse,
  decodeTrailers,
  encodeHead,
  encodePlace,
  encodeRequest,
  encodeResponse,
  encodeTrailers,
} from '../../src/request/message.js'
import { type HttpRequest, type HttpResponse, sendRequest } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { ask } from '../gateway/serving.js'
import { everyEngine } from '../support/every-engine.js'
import { collectGarbage } from '../support/garbage.js'
import { whole } from '../support/whole.js'

const request: HttpRequest = {
  method: 'GET',
  target: '/',
  httpVersion: '1.1',
  headers: ['Host', 'shop.example', 'X-Empty', ''],
  body: Buffer.from('body'),
  peer: '203.0.113.77',
  secure: false,
}
const response: HttpResponse = { status: 200, reason: '', headers: ['X-A', 'a'], body: Buffer.from('body') }

const text = fc.string({ unit: 'grapheme' }).filter((value) => !/[\r\n\0]/.test(value))
const fields = fc.array(fc.tuple(text, text)).map((pairs) => pairs.flat())
const trailers = fields.map((list) => (list.length > 0 ? list : undefined))
const body = fc.uint8Array().map((bytes) => Buffer.from(bytes))
const port = fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined })
const optional = fc.option(text, { nil: undefined })
const protocol = fc.constantFrom('http' as const, 'https' as const)
const host = optional.map((value) => value || undefined)

test('values arrive as they were: names of tasks in any script, Latin-1, empty ones, and any body', () => {
  const requests = fc.record({
    ...{ method: text, target: text, httpVersion: fc.constantFrom('1.0', '1.1'), headers: fields, body },
    more: fc.constantFrom(undefined, 'body' as const, 'upgrade' as const),
    ...{ trailers, peer: text, secure: fc.boolean(), peerPort: port, localAddress: optional, localPort: port },
    client: fc.option(fc.record({ address: text, protocol, host }), { nil: undefined }),
    id: optional,
  })
  fc.assert(fc.property(requests, (sent) => expect(decodeRequest(encodeRequest(sent))).toEqual(sent)))
  const responses = fc.record({
    status: fc.integer({ min: 0, max: 999 }),
    reason: text,
    headers: fields,
    body,
    trailers,
  })
  fc.assert(fc.property(responses, (sent) => expect(decodeResponse(encodeResponse(sent))).toEqual(sent)))
  fc.assert(fc.property(fields, (sent) => expect(decodeTrailers(encodeTrailers(sent))).toEqual(sent)))
})

/** Each place of a head that has a text, with a text in it. */
const WITH: readonly ((value: string) => Partial<HttpRequest>)[] = [
  (method) => ({ method }),
  (target) => ({ target }),
  (peer) => ({ peer }),
  (localAddress) => ({ localAddress }),
  (id) => ({ id }),
  (address) => ({ client: { address, protocol: 'http', host: undefined } }),
  (host) => ({ client: { address: '', protocol: 'http', host } }),
  (name) => ({ headers: ['A', 'a', name, 'b', 'C', 'c'] }),
  (value) => ({ headers: ['A', value, 'B', 'b'] }),
  (value) => ({ trailers: ['A', value] }),
]

test.each(['\n', '\r', '\0', 'a\r\nX-Admin: 1', 'a\nX-Admin\n1\n', '\n'.repeat(6)])(
  'a value with %j is refused',
  (value) => {
    for (const place of WITH)
      expect(() => decodeRequest(encodeRequest({ ...request, ...place(value) }))).toThrow(TypeError)
    for (const head of [
      { reason: value },
      { headers: ['A', value] },
      { headers: [value, 'a'] },
      { trailers: [value, 'a'] },
    ]) {
      expect(() => decodeResponse(encodeResponse({ ...response, ...head }))).toThrow(TypeError)
    }
    expect(decodeTrailers(encodeTrailers(['A', value]))).toEqual([])
  },
)

/** Heads of two lines of headers, in which one thing is wrong. */
const MALFORMED: readonly (readonly [what: string, bytes: string])[] = [
  ['nothing', ''],
  ['JSON', '[200,"OK",[]]\n'],
  ['another letter', 'x11 200 2 0\nOK\nX-A\na\n'],
  ['no length', 'r 200 2 0\nOK\nX-A\na\n'],
  ['a length that is no number', 'rff 200 2 0\nOK\nX-A\na\n'],
  ['a negative length', 'r-9 200 2 0\nOK\nX-A\na\n'],
  ['no lines', 'r0 200 2 0\n'],
  ['a length beyond the end', 'r10 200 2 0\nOK\nX-A\na\n'],
  ['a length of too many digits', `r${'9'.repeat(70)} 200 2 0\nOK\nX-A\na\n`],
  ['a first line without an end', `r9${' 1'.repeat(60)}`],
  ['a length that ends within a line', 'r8 200 2 0\nOK\nX-A\na\n'],
  ['fewer lines than it says', 'r9 200 4 0\nOK\nX-A\na\n'],
  ['more lines than it says', 'r9 200 0 0\nOK\nX-A\na\n'],
  ['a name without a value', 'r7 200 1 0\nOK\nX-A\n'],
  ['no number of headers', 'r9 200\nOK\nX-A\na\n'],
  ['more headers than any memory holds', 'r9 200 99999999999999 0\nOK\nX-A\na\n'],
  ['no status', 'r9  2 0\nOK\nX-A\na\n'],
  ['a CR', 'r10 200 2 0\nOK\nX-A\na\r\n'],
  ['a NUL', 'r10 200 2 0\nOK\nX-A\na\0\n'],
]
const WHOLE = 'r9 200 2 0\nOK\nX-A\na\n'

test.each(MALFORMED)('a head with %s is refused', (_what, bytes) => {
  expect(decodeResponse(Buffer.from(`${WHOLE}body`))).toMatchObject({ status: 200, headers: ['X-A', 'a'] })
  expect(() => decodeResponse(Buffer.from(bytes))).toThrow(TypeError)
})

test('an app that keeps the address of a client does not keep the head', () => {
  const client = { address: '198.51.100.177', protocol: 'http', host: undefined } as const
  const bytes = encodeRequest({ ...request, target: `/${'x'.repeat(1 << 16)}`, client })
  const kept: string[] = []
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 500; i++) {
    const decoded = decodeRequest(bytes)
    kept.push(decoded.peer, decoded.client!.address)
  }
  collectGarbage()
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(8 << 20)
  expect(new Set(kept)).toEqual(new Set([request.peer, client.address]))
})

everyEngine('heads that strangers wrote', (opened) => {
  /** A process that takes a request and answers with these bytes. */
  async function stranger(space: Space, answer: (delivery: Delivery) => Promise<unknown>): Promise<void> {
    await space.engine.offer(appTemplate(['web']), 1, (delivery) => void answer(delivery))
  }

  test('a response that is malformed ends in 502, and the next one is delivered', async () => {
    const { space, other } = opened()
    const bodies = [...MALFORMED.map(([, bytes]) => bytes), WHOLE]
    await stranger(other, (delivery) => other.engine.complete(delivery, Buffer.from(bodies.shift()!), 1))
    const gateway = createGateway({ space, port: 0 })
    await gateway.start()
    const port = Number(new URL(gateway.url).port)
    for (const [what] of MALFORMED) {
      const { status, text } = await ask(port)
      expect([what, status, JSON.parse(text).code]).toEqual([what, 502, 'BAD_RESPONSE'])
    }
    const { status, headers } = await ask(port)
    expect([status, headers['x-a']]).toEqual([200, 'a'])
    await gateway.stop()
  })

  /** Streams these pieces in place of a head and a body, and says that the response is complete. */
  async function stream({ engine, streams }: Space, delivery: Delivery, pieces: readonly Buffer[]): Promise<void> {
    const writer = streams.writer(delivery.claim)
    for (const piece of pieces) writer.write(piece)
    await streams.ready()
    await engine.beginStreaming(delivery, true)
    writer.open(delivery.requester)
    writer.end(encodeTrailers(['X-Sum', '1']))
    await engine.complete(delivery, encodePlace({ claim: delivery.claim, holder: engine.presence }), 1)
  }

  test('a streamed head that is malformed or too long ends in an error, and one in single bytes is read', async () => {
    const { space, other } = opened()
    const heads = [...MALFORMED.map(([, bytes]) => bytes), 'r2000000 200 2 0\nOK\nX-A\na', WHOLE]
    const interim = encodeHead({ status: 103, reason: '', headers: ['Link', '</a>'] })
    const pieces = heads.map((head) => [
      interim,
      ...Array.from(Buffer.from(`${head}body`), (byte) => Buffer.from([byte])),
    ])
    await stranger(other, (delivery) => stream(other, delivery, pieces.shift()!))
    const terms = { service: 'web', timeoutMs: 20_000, priority: 0, repeatable: true }
    for (const head of heads.slice(0, -1)) {
      const { response } = sendRequest(space, request, terms)
      const code = await response.then(
        () => 'delivered',
        (error) => error.code,
      )
      expect([head, code]).toEqual([head, 'BAD_RESPONSE'])
    }
    const interims: number[] = []
    const { response } = sendRequest(space, request, terms, ({ status }) => void interims.push(status))
    const expected = { status: 200, headers: ['X-A', 'a'], trailers: ['X-Sum', '1'], body: Buffer.from('body') }
    expect(await response.then(whole)).toMatchObject(expected)
    expect(interims).toEqual([103])
  })

  test('a request that is malformed is answered without being run', async () => {
    const { space, other } = opened()
    const seen: string[] = []
    const app = (req: { url?: string }, res: { end(): void }): void => {
      seen.push(req.url!)
      res.end()
    }
    await createWorker({ space: other, app }).start()
    const terms = { service: 'web', timeoutMs: 20_000, priority: 0, repeatable: true }
    for (const bytes of ['', 'q', WHOLE, 'q9 0 2 0 1 0 0\nGET\n/\n\nA\n', 'q10 0 2 0 1 0 0\nGET\n/\n\nA\n\r\n']) {
      const entry = { ...requestEntry(space.newId(), request, terms), body: Buffer.from(bytes) }
      const outcome = await new Promise<Outcome>((resolve) => void space.engine.request(entry, resolve))
      const answer = decodeResponse((outcome as { body: Buffer }).body)
      expect([bytes, answer.status, answer.body.toString()]).toEqual([bytes, 400, expect.stringMatching(/was not run/)])
    }
    expect((await createClient({ space }).fetch('/next')).status).toBe(200)
    expect(seen).toEqual(['/next'])
  })
})

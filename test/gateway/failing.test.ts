/** A request gets exactly one answer by its deadline: the worker's, or one clear error (promises 4, 5 and 6 of DESIGN §3). */
import { Agent, request } from 'node:http'
import { describe, expect, test } from '@jest/globals'
import type { EncodedEntry, Outcome } from '../../src/engine.js'
import { MemoryEngine } from '../../src/engines/memory/index.js'
import { SpaceError } from '../../src/errors.js'
import type { Logger } from '../../src/log.js'
import { Space } from '../../src/space.js'
import { type Answer, ask, exchangeBytes, serving, signal, statusOf, wire } from './serving.js'

/** A memory engine whose way with requests a test can bend, and which tells of withdrawals. */
class BentEngine extends MemoryEngine {
  readonly images: EncodedEntry[] = []
  readonly withdrawn: string[] = []
  onWithdrawn: () => void = () => {}
  constructor(readonly bend?: (onOutcome: (outcome: Outcome) => void, attempt: number) => boolean) {
    super()
  }
  override async request(image: EncodedEntry, onOutcome: (outcome: Outcome) => void): Promise<void> {
    this.images.push(image)
    if (!this.bend?.(onOutcome, this.images.length)) await super.request(image, onOutcome)
  }
  override async withdraw(id: string): Promise<void> {
    await super.withdraw(id)
    this.withdrawn.push(id)
    this.onWithdrawn()
  }
}

const codeOf = (answer: Answer): unknown => JSON.parse(answer.text).code

describe('without an answer', () => {
  test('a client is told 504 at the deadline, and the request is withdrawn', async () => {
    const engine = new BentEngine()
    await using s = await serving(null, { space: new Space(engine, 't'), limits: { timeoutMs: 50 } })
    const answer = await ask(s.port)
    expect([answer.status, codeOf(answer)]).toEqual([504, 'REQUEST_TIMEOUT'])
    expect(engine.withdrawn).toEqual([answer.headers['x-request-id']])
  })

  test('an answer that comes after the deadline is dropped', async () => {
    const answered = signal()
    const late = signal<boolean>()
    await using s = await serving(null, { limits: { timeoutMs: 50 } })
    const { serveRequests } = await import('../../src/request.js')
    await serveRequests(s.space, 'web', 1, async (taken) => {
      await answered.promise
      late.resolve(await taken.complete({ status: 200, reason: '', headers: [], body: Buffer.from('late') }))
    })
    expect((await ask(s.port)).status).toBe(504)
    answered.resolve()
    expect(await late.promise).toBe(false)
  })

  test('a client that goes away is waited for no longer', async () => {
    const engine = new BentEngine()
    const taken = signal()
    const withdrawn = signal()
    engine.onWithdrawn = withdrawn.resolve
    const lost = signal()
    await using s = await serving(
      (_, held) => {
        held.onLost = () => lost.resolve()
        taken.resolve()
        return new Promise(() => {})
      },
      { space: new Space(engine, 't') },
    )
    const req = request({ port: s.port, agent: new Agent() })
    req.on('error', () => {})
    req.end()
    await taken.promise
    req.destroy()
    await withdrawn.promise
    await lost.promise
  })

  test('a client that goes away with several requests sent is waited for with none of them', async () => {
    const engine = new BentEngine()
    const all = signal()
    const gone = signal()
    let count = 0
    engine.onWithdrawn = () => engine.withdrawn.length === 3 && gone.resolve()
    await using s = await serving(
      () => {
        if (++count === 3) all.resolve()
        return new Promise(() => {})
      },
      { space: new Space(engine, 't') },
    )
    const line = await wire(s.port)
    line.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3))
    await all.promise
    line.socket.destroy()
    await gone.promise
  })

  test('a client that goes away in the middle of its body leaves nothing behind', async () => {
    await using s = await serving(() => ({}))
    const line = await wire(s.port)
    line.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf')
    line.socket.destroy()
    await s.gateway.stop()
    expect(s.seen).toEqual([])
  })
})

describe('an outcome that is no answer', () => {
  const ending =
    (outcome: Outcome) =>
    (onOutcome: (outcome: Outcome) => void): boolean => {
      onOutcome(outcome)
      return true
    }

  test('tells the client 502 that says what became of the request', async () => {
    await using s = await serving(null, { space: new Space(new BentEngine(ending({ kind: 'lost' })), 't') })
    const answer = await ask(s.port, { method: 'POST' })
    expect([answer.status, codeOf(answer)]).toEqual([502, 'WORKER_LOST'])
    expect(answer.text).toMatch(/not run again/)
    expect(answer.headers['x-request-id']).toBeTruthy()
  })

  test('tells the client 502 when each worker that took the request died', async () => {
    const space = new Space(new BentEngine(ending({ kind: 'exhausted' })), 't')
    await using s = await serving(null, { space })
    expect(codeOf(await ask(s.port))).toBe('DELIVERIES_EXHAUSTED')
  })

  test('tells the client 502 when it is not a response at all', async () => {
    const space = new Space(new BentEngine(ending({ kind: 'completed', body: Buffer.from('{}') })), 't')
    await using s = await serving(null, { space })
    expect(codeOf(await ask(s.port))).toBe('BAD_RESPONSE')
  })

  test('of our own making is a bare 500 to the client, and an error in the log', async () => {
    const errors: object[] = []
    const nothing = (): void => {}
    const logger: Logger = { debug: nothing, info: nothing, warn: nothing, error: (fields) => void errors.push(fields) }
    const space = new Space(
      new BentEngine(() => {
        throw new SpaceError('REDIS_REFUSED', 'redis://user:s3cret@10.0.0.1')
      }),
      't',
    )
    await using s = await serving(null, { space, logger })
    const answer = await ask(s.port)
    expect([answer.status, codeOf(answer)]).toEqual([500, 'INTERNAL'])
    expect(answer.text + answer.raw.join()).not.toMatch(/s3cret|redis/i)
    expect(errors).toHaveLength(1)
  })
})

describe('while the space is away', () => {
  test.each(['GET', 'POST'])('a %s that could not be passed on gets 503 with Retry-After', async (method) => {
    const engine = new BentEngine(() => {
      throw new SpaceError('SPACE_UNREACHABLE')
    })
    await using s = await serving(() => ({}), { space: new Space(engine, 't') })
    const answer = await ask(s.port, { method })
    expect([answer.status, codeOf(answer), answer.headers['retry-after']]).toEqual([503, 'SPACE_UNREACHABLE', '1'])
    expect(engine.images).toHaveLength(1)
  })

  test('an outcome that is unknown is never tried again', async () => {
    const engine = new BentEngine(() => {
      throw new SpaceError('OUTCOME_UNKNOWN')
    })
    await using s = await serving(null, { space: new Space(engine, 't') })
    expect((await ask(s.port)).status).toBe(502)
    expect(engine.images).toHaveLength(1)
  })

  test('a full space is told to the client as 503 with Retry-After', async () => {
    const engine = new BentEngine(() => {
      throw new SpaceError('SPACE_FULL')
    })
    await using s = await serving(null, { space: new Space(engine, 't') })
    const answer = await ask(s.port)
    expect([answer.status, codeOf(answer), answer.headers['retry-after']]).toEqual([503, 'SPACE_FULL', '1'])
  })
})

describe('a request may be repeated', () => {
  test.each([
    ['GET', {}, true],
    ['HEAD', {}, true],
    ['OPTIONS', {}, true],
    ['PUT', {}, true],
    ['DELETE', {}, true],
    ['POST', {}, false],
    ['PATCH', {}, false],
    ['POST', { 'Idempotency-Key': '"k"' }, true],
  ])('%s %j: %s', async (method, headers, repeatable) => {
    const engine = new BentEngine()
    await using s = await serving(() => ({}), { space: new Space(engine, 't') })
    // One with a key is written together with its ticket.
    const open = engine.tickets.open.bind(engine.tickets)
    engine.tickets.open = (ticket, image) => {
      engine.images.push(image)
      return open(ticket, image)
    }
    await ask(s.port, { method, headers })
    expect(engine.images[0]?.request).toMatchObject({ repeatable })
  })

  test('a POST of a service that says so: true', async () => {
    const engine = new BentEngine()
    const services = [{ service: 'web', repeatable: true }]
    await using s = await serving(() => ({}), { space: new Space(engine, 't'), services })
    await ask(s.port, { method: 'POST' })
    expect(engine.images[0]?.request).toMatchObject({ repeatable: true })
  })
})

describe('more than is accepted', () => {
  test('a body that announces more than the limit gets 413 before it is sent', async () => {
    await using s = await serving(() => ({}), { limits: { bodyBytes: 10 } })
    const line = await wire(s.port)
    line.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n')
    const text = await line.receive()
    expect(statusOf(text)).toBe(413)
    expect(text).toMatch(/connection: close/i)
    expect(text).toMatch(/larger than 10 bytes \(limits\.bodyBytes of the gateway, --max-body-bytes\)/)
    expect(s.seen).toEqual([])
  })

  test('a body that grows over the limit gets 413, which its sender can read', async () => {
    await using s = await serving(() => ({}), { limits: { bodyBytes: 1_000 } })
    const chunk = `3e8\r\n${'x'.repeat(1_000)}\r\n`
    const text = await exchangeBytes(
      s.port,
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(2_000)}0\r\n\r\n`,
    )
    expect(statusOf(text)).toBe(413)
    expect(s.seen).toEqual([])
  })

  test('a body that is malformed beyond the limit gets one answer', async () => {
    await using s = await serving(() => ({}), { limits: { bodyBytes: 1 } })
    const line = await wire(s.port)
    line.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n')
    await line.receive((text) => text.endsWith('}\n'))
    line.send('zz\r\n')
    expect((await line.receive()).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413'])
  })

  test('a body of exactly the limit passes', async () => {
    await using s = await serving((r) => ({ body: r.body }), { limits: { bodyBytes: 10 } })
    expect((await ask(s.port, { method: 'POST', body: '0123456789' })).text).toBe('0123456789')
  })

  test('a request beyond those in flight gets 503 with Retry-After, and the next is served again', async () => {
    const first = signal()
    const go = signal()
    await using s = await serving(
      async () => {
        first.resolve()
        await go.promise
        return {}
      },
      { limits: { inFlight: 1 } },
    )
    const slow = ask(s.port)
    await first.promise
    const refused = await ask(s.port)
    expect([refused.status, codeOf(refused), refused.headers['retry-after']]).toEqual([503, 'OVERLOADED', '1'])
    go.resolve()
    expect((await slow).status).toBe(200)
    expect((await ask(s.port)).status).toBe(200)
  })
})

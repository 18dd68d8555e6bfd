/** What requests are promised: one holder at a time, fenced; one answer; redelivery as their kind allows. */
import { expect, test } from '@jest/globals'
import { DEAD_LETTER } from '../../src/engine.js'
import { AnyEntry, defineEntry } from '../../src/entry.js'
import {
  backlogOf,
  type HeldRequest,
  type HttpRequest,
  type HttpResponse,
  REQUEST,
  type SendOptions,
  type Serving,
  sendRequest,
  serveRequests,
} from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { deadLetterOf } from '../../src/tasks/dead-letter.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { until } from '../support/until.js'
import { whole } from '../support/whole.js'

const request = (target: string, body = Buffer.alloc(0)): HttpRequest => ({
  method: 'GET',
  target,
  httpVersion: '1.1',
  headers: ['Host', 'shop.example', 'X-Many', 'é', 'X-Many', '2'],
  body,
  peer: '127.0.0.1',
  secure: false,
})

const answer = (text: string): HttpResponse => ({
  status: 200,
  reason: 'OK',
  headers: ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'],
  body: Buffer.from(text),
})

const terms = (more: Partial<SendOptions> = {}): SendOptions => ({
  service: 'web',
  timeoutMs: 20_000,
  priority: 0,
  repeatable: true,
  ...more,
})

/** Takes requests and keeps them in hand. */
async function hold(
  space: Space,
  concurrency = 1,
): Promise<{ held: HeldRequest[]; serving: Serving; next(): Promise<HeldRequest> }> {
  const held: HeldRequest[] = []
  const serving = await serveRequests(space, 'web', concurrency, (taken) => held.push(taken))
  const next = async (): Promise<HeldRequest> => {
    await until(() => held.length > 0, 'a request')
    return held.shift()!
  }
  return { held, serving, next }
}

everyEngine({ what: 'requesting', partitions: 'redis' }, (opened) => {
  test('a request reaches one worker as it was sent, and its answer comes back as it was given', async () => {
    const { space, other } = opened()
    const worker = await hold(other)
    const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const sent = sendRequest(space, request('/a?b=%00', body), terms({ priority: 5 }))
    const taken = await worker.next()
    expect(taken).toMatchObject({ id: sent.id, service: 'web', priority: 5, attempt: 1, repeatable: true })
    expect(taken.request).toEqual(request('/a?b=%00', body))
    expect(taken.remainingMs).toBeGreaterThan(15_000)
    expect(await taken.complete(answer('done'))).toBe(true)
    expect(await sent.response).toEqual(answer('done'))
  })

  test('a request is no entry that AnyEntry finds', async () => {
    const { space, other } = opened()
    const waiting = other.take(AnyEntry, { waitMs: 50 })
    const sent = sendRequest(space, request('/private'), terms())
    expect(await waiting).toBeNull()
    expect(await other.readIfExists(AnyEntry)).toBeNull()
    expect(() => defineEntry('takespace.Request')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    sent.withdraw()
  })

  test('large bodies pass both ways', async () => {
    const { space, other } = opened()
    const worker = await hold(other)
    const body = Buffer.alloc(1 << 20, 'abc\u0000')
    const sent = sendRequest(space, request('/large', body), terms())
    const taken = await worker.next()
    expect(taken.request.body.equals(body)).toBe(true)
    expect(await taken.complete({ ...answer(''), body })).toBe(true)
    expect((await whole(await sent.response)).body.equals(body)).toBe(true)
  })

  testInOnePartition('a worker is handed no more than it has room for, and the rest in order', async () => {
    const { space, other } = opened()
    const worker = await hold(other, 2)
    const sent = ['1', '2', '3', '4', '5'].map((n) => sendRequest(space, request(n), terms()))
    await until(() => worker.held.length === 2, 'two requests')
    // Answered behind everything that was written: nothing more is on its way.
    await other.engine.renew('unknown', 1)
    expect(worker.held).toHaveLength(2)
    const order: string[] = []
    while (order.length < 5) {
      const taken = await worker.next()
      order.push(taken.request.target)
      await taken.complete(answer(taken.request.target))
    }
    expect(order).toEqual(['1', '2', '3', '4', '5'])
    expect((await Promise.all(sent.map((s) => s.response))).map((r) => r.body.toString())).toEqual(order)
  })

  test('what waited before the first worker came is handed to it; other services are left alone', async () => {
    const { space, other } = opened()
    const admin = sendRequest(space, request('/admin'), terms({ service: 'admin' }))
    const sent = sendRequest(space, request('/early'), terms())
    await space.engine.renew('unknown', 1)
    const worker = await hold(other, 4)
    const taken = await worker.next()
    expect(taken.request.target).toBe('/early')
    await taken.complete(answer('x'))
    await sent.response
    expect(worker.held).toHaveLength(0)
    admin.withdraw()
  })

  test('work goes to the worker with most room', async () => {
    const { space, other } = opened()
    const small = await hold(space, 1)
    const big = await hold(other, 3)
    const sent = Array.from({ length: 4 }, (_, i) => sendRequest(space, request(`${i}`), terms()))
    await until(() => small.held.length + big.held.length === 4, 'all to be handed out')
    expect([small.held.length, big.held.length]).toEqual([1, 3])
    for (const s of sent) s.withdraw()
  })

  testInOnePartition('work goes round all workers before one gets a second piece, however many there are', async () => {
    const { space, other } = opened()
    const workers = await Promise.all(Array.from({ length: 20 }, (_, i) => hold(i % 2 ? other : space, 2)))
    const given = () => workers.map(({ held }) => held.length)
    const sent = []
    for (const each of [1, 2]) {
      sent.push(...workers.map((_, i) => sendRequest(space, request(`${each}-${i}`), terms())))
      await until(() => given().reduce((sum, n) => sum + n) === each * workers.length, 'all to be handed out')
      expect(given()).toEqual(workers.map(() => each))
    }
    for (const each of sent) each.withdraw()
  })

  test('one that may not run twice and has started is lost when it is released', async () => {
    const { space, other } = opened()
    const { held, next } = await hold(other)
    const sent = sendRequest(space, request('/once'), terms({ repeatable: false }))
    const lost = expect(sent.response).rejects.toMatchObject({ code: 'WORKER_LOST' })
    const given = await next()
    expect(await given.start()).toBe(true)
    await given.release()
    await lost
    expect(held).toEqual([])
  })

  test('a released request goes to another worker, a completion after the release is refused', async () => {
    const { space, other } = opened()
    const first = await hold(space)
    const sent = sendRequest(space, request('/again'), terms())
    const given = await first.next()
    await first.serving.stop()
    const second = await hold(other)
    await given.release()
    const taken = await second.next()
    expect(await given.complete(answer('stale'))).toBe(false)
    expect(await taken.complete(answer('fresh'))).toBe(true)
    expect((await sent.response).body.toString()).toBe('fresh')
  })

  test('a stopped worker is handed nothing more, and what it holds can still be completed', async () => {
    const { space, other } = opened()
    const worker = await hold(other, 2)
    const sent = sendRequest(space, request('/held'), terms())
    const taken = await worker.next()
    await worker.serving.stop()
    const late = sendRequest(space, request('/late'), terms())
    expect(await taken.complete(answer('ok'))).toBe(true)
    await sent.response
    expect(worker.held).toHaveLength(0)
    late.withdraw()
  })

  test('a withdrawn request is not handed out; its holder is told', async () => {
    const { space, other } = opened()
    const early = sendRequest(space, request('/withdrawn'), terms())
    early.withdraw()
    await space.engine.renew('unknown', 1)
    const worker = await hold(other)
    const sent = sendRequest(space, request('/kept'), terms())
    const taken = await worker.next()
    expect(taken.request.target).toBe('/kept')
    let lost = false
    taken.onLost = () => {
      lost = true
    }
    sent.withdraw()
    await until(() => lost, 'the holder to be told')
  })

  test('a request whose deadline has passed is not handed out', async () => {
    const { space, other } = opened()
    sendRequest(space, request('/late'), terms({ timeoutMs: 30 })).response.catch(() => {})
    const sent = sendRequest(space, request('/fine'), terms())
    // Answered after the two writes, and leases run from these.
    await backlogOf(space, 'web')
    const end = performance.now() + 60
    await until(() => performance.now() > end, 'the deadline to pass')
    const worker = await hold(other)
    expect((await worker.next()).request.target).toBe('/fine')
    sent.withdraw()
  })

  test('what a dead worker held goes to another at once; what it still answers is refused', async () => {
    const { space, other } = opened()
    const dying = await hold(other)
    const sent = sendRequest(space, request('/'), terms())
    const given = await dying.next()
    let lost = false
    given.onLost = () => {
      lost = true
    }
    const heir = await hold(space)
    await space.declareDead(other.presence)
    const taken = await heir.next()
    expect(taken).toMatchObject({ id: sent.id, attempt: 2 })
    await until(() => lost, 'the former holder to hear of it')
    expect(await given.complete(answer('stale'))).toBe(false)
    expect(await taken.complete(answer('fresh'))).toBe(true)
    expect((await sent.response).body.toString()).toBe('fresh')
  })

  test('the slot of a lost request is free again when its holder gives it back, once', async () => {
    const { space, other } = opened()
    const worker = await hold(other)
    const sent = sendRequest(space, request('/lost'), terms())
    const given = await worker.next()
    const lost = new Promise<void>((resolve) => {
      given.onLost = resolve
    })
    await space.declareDead(other.presence)
    await lost
    const behind = sendRequest(space, request('/behind'), terms())
    await given.release()
    const again = await worker.next()
    expect(again).toMatchObject({ id: sent.id, attempt: 2 })
    // Answered behind everything that was handed out: nothing more is on its way.
    await other.engine.renew('unknown', 1)
    expect(worker.held).toHaveLength(0)
    await again.complete(answer('again'))
    await (await worker.next()).complete(answer('behind'))
    expect([(await sent.response).body.toString(), (await behind.response).body.toString()]).toEqual([
      'again',
      'behind',
    ])
  })

  test('an unrepeatable request that its dead worker had started is not run again: its requester is told', async () => {
    const { space, other } = opened()
    const dying = await hold(other)
    const heir = await hold(space)
    await heir.serving.stop()
    const sent = sendRequest(space, request('/'), terms({ repeatable: false }))
    const lost = expect(sent.response).rejects.toMatchObject({ code: 'WORKER_LOST', status: 502 })
    expect(await (await dying.next()).start()).toBe(true)
    await space.declareDead(other.presence)
    await lost
    expect(heir.held).toHaveLength(0)
  })

  test('an unrepeatable request that was handed out and never started is handed out again', async () => {
    const { space, other } = opened()
    const dying = await hold(other)
    const sent = sendRequest(space, request('/'), terms({ repeatable: false }))
    const given = await dying.next()
    const heir = await hold(space)
    await space.declareDead(other.presence)
    const taken = await heir.next()
    expect(await given.start()).toBe(false)
    expect(await taken.start()).toBe(true)
    // Whoever asks again is still its holder, and nobody else is.
    expect([await taken.start(), await given.start()]).toEqual([true, false])
    expect(await taken.complete(answer('once'))).toBe(true)
    expect((await sent.response).body.toString()).toBe('once')
  })

  test('of a process that does not answer, what it has not begun goes to others; what it has begun stays its own', async () => {
    const { space, other } = opened()
    const silent = await hold(other, 4)
    const once = sendRequest(space, request('/once'), terms({ repeatable: false }))
    const started = await silent.next()
    expect(await started.start()).toBe(true)
    const begun = sendRequest(space, request('/begun'), terms())
    const running = await silent.next()
    const again = sendRequest(space, request('/again'), terms())
    const unread = await silent.next()
    const heir = await hold(space, 3)
    await space.suspend(other.presence, [running.id])
    const taken = await heir.next()
    // Nobody has died of it.
    expect(taken).toMatchObject({ id: again.id, attempt: 1 })
    expect(await unread.complete(answer('stale'))).toBe(false)
    expect(await started.complete(answer('once'))).toBe(true)
    expect(await running.complete(answer('begun'))).toBe(true)
    expect((await begun.response).body.toString()).toBe('begun')
    expect((await once.response).body.toString()).toBe('once')
    expect(await taken.complete(answer('again'))).toBe(true)
    expect((await again.response).body.toString()).toBe('again')
    await heir.serving.stop()
    // It answers again, so it is handed requests again.
    const next = sendRequest(space, request('/next'), terms())
    expect((await silent.next()).id).toBe(next.id)
    next.withdraw()
  })

  testInOnePartition(
    'what a dead worker held goes on together; only what two have died with is handed out alone',
    async () => {
      const { space, other } = opened()
      const worker = await hold(other, 3)
      const sent = ['1', '2', '3'].map((n) => sendRequest(space, request(n), terms()))
      const died = async (): Promise<void> => {
        await space.declareDead(other.presence)
        // The process is alive and joins again.
        await worker.serving.stop()
        worker.held.length = 0
        Object.assign(worker, await hold(other, 3))
      }
      await until(() => worker.held.length === 3, 'all are handed out')
      await died()
      await until(() => worker.held.length === 3, 'all are handed out again')
      expect(worker.held.map(({ attempt }) => attempt)).toEqual([2, 2, 2])
      await died()
      for (const { id, response } of sent) {
        const taken = await worker.next()
        expect(taken).toMatchObject({ id, attempt: 3 })
        // Answered behind everything that was handed out: nothing more is on its way.
        await other.engine.renew('unknown', 1)
        expect(worker.held).toHaveLength(0)
        await taken.complete(answer('done'))
        await response
      }
    },
  )

  test.each([
    [undefined, 3, 0],
    [1, 1, 5_000],
    [5, 5, 0],
  ])(
    'with maxDeliveries %s, a request that killed %i workers kills no other, and is a dead letter',
    async (given, most, bytes) => {
      const { space, other } = opened()
      const victims = await hold(other)
      const more = given === undefined ? {} : { maxDeliveries: given }
      const sent = sendRequest(space, request('/poison', Buffer.alloc(bytes, 7)), terms(more))
      const failed = expect(sent.response).rejects.toMatchObject({ code: 'DELIVERIES_EXHAUSTED', status: 502 })
      for (let attempt = 1; attempt <= most; attempt++) {
        expect((await victims.next()).attempt).toBe(attempt)
        await space.declareDead(other.presence)
        if (attempt === most) break
        // The process is alive and joins again: its offer is handed the request once more, its slot being given back.
        await victims.serving.stop()
        Object.assign(victims, await hold(other))
      }
      await failed
      const letters = { kind: DEAD_LETTER, root: DEAD_LETTER, indexed: [], verified: [] }
      const { entries } = await space.engine.list(letters, null, 10)
      const letter = { id: sent.id, kind: REQUEST, reason: 'exhausted', attempts: most, service: 'web' }
      expect(entries.map(deadLetterOf)).toMatchObject([{ ...letter, request: { target: '/poison' } }])
      expect(deadLetterOf(entries[0]!).request!.body).toHaveLength(bytes)
    },
  )
})

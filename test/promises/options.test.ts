/** An option that a public function does not know is refused, with the name that was probably meant. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import {
  type Client,
  createClient,
  createScheduler,
  defineEntry,
  type Lease,
  openSpace,
  type Space,
} from '../../src/index.js'
import { FastifySessionStore, fetchSessions, KoaSessionStore, SpaceSessionStore } from '../../src/session/index.js'
import { createWorker } from '../../workers/index.js'

const Job = defineEntry<{ a: number }>('Job')
const app = (): void => {}
const secret = 'a secret of sixteen'

let space: Space
let client: Client
let lease: Lease
beforeAll(async () => {
  space = await openSpace('memory:')
  client = createClient({ space })
  lease = await space.write(Job({ a: 1 }))
})
afterAll(() => space.close())

/** The name of a function, how it is called with these options, an option that it does not know, and the one that was meant. */
type Case = [what: string, run: (options: never) => unknown, unknown: string, meant: string]

const first = async (list: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of list) return
}

const CASES: Case[] = [
  ['openSpace', (options) => openSpace('memory:', options), 'nam', 'name'],
  ['write', (options) => space.write(Job({ a: 1 }), options), 'lease', 'leaseMs'],
  ['writeAll', (options) => space.writeAll([Job({ a: 1 })], options), 'prioritiy', 'priority'],
  ['take', (options) => space.take(Job, options), 'waitms', 'waitMs'],
  ['read', (options) => space.read(Job, options), 'wait', 'waitMs'],
  ['takeIfExists', (options) => space.takeIfExists(Job, options), 'transaction', ''],
  ['readIfExists', (options) => space.readIfExists(Job, options), 'signals', 'signal'],
  ['takeAll', (options) => space.takeAll([Job], options), 'maximum', ''],
  ['readAll', (options) => space.readAll([Job], options), 'wait', 'waitMs'],
  ['watch', (options) => first(space.watch(Job, options)), 'signals', 'signal'],
  ['contents', (options) => first(space.contents(Job, options)), 'maxx', 'max'],
  ['notify', (options) => space.notify([Job], app, options), 'onEnd', 'onEnded'],
  ['A transaction', (options) => space.begin(options), 'lease', 'leaseMs'],
  ['A transaction', (options) => space.transact(app, options), 'leasems', 'leaseMs'],
  ['keepAlive', (options) => space.keepAlive([lease], options), 'untilMS', 'untilMs'],
  ['defineEntry', (options) => defineEntry('Other', options), 'indexes', 'index'],
  ['extend', (options) => Job.extend('More', options), 'shema', 'schema'],
  ['createGateway', (options) => createGateway({ space, ...(options as object) }), 'limit', 'limits'],
  ['limits', (limits) => createGateway({ space, limits: limits as object }), 'timeout', 'timeoutMs'],
  ['idempotency', (idempotency) => createGateway({ space, idempotency: idempotency as object }), 'lease', 'leaseMs'],
  ['admin', (admin) => createWorker({ space, app, admin: admin as never }), 'hots', 'host'],
  [
    'services[0]',
    (options) => createGateway({ space, services: [{ service: 'a', ...(options as object) }] }),
    'prefix',
    '',
  ],
  ['createWorker', (options) => createWorker({ space, app, ...(options as object) }), 'concurency', 'concurrency'],
  ['createClient', (options) => createClient({ space, ...(options as object) }), 'services', 'service'],
  ['createScheduler', (options) => createScheduler({ space, ...(options as object) }), 'fromQueue', 'fromQueues'],
  ['call', (options) => client.call('ping', {}, options), 'timeout', 'timeoutMs'],
  ['enqueue', (options) => client.enqueue('ping', {}, options), 'retries', ''],
  ['backoff', (backoff) => client.enqueue('ping', {}, { attempts: 2, backoff }), 'delay', 'delayMs'],
  ['schedule', (options) => client.schedule('s', { everyMs: 9 }, 'ping', {}, options), 'attempt', 'attempts'],
  ['A schedule', (times) => client.schedule('s', times, 'ping', {}), 'timezone', 'timeZone'],
  ['unschedule', (options) => client.unschedule('s', options), 'signall', 'signal'],
  ['client.fetch', (options) => client.fetch('/', options), 'timeout', 'timeoutMs'],
  ['ticket.result', (options) => client.ticket('a').result(options), 'waitms', 'waitMs'],
  ['SpaceSessionStore', (options) => new SpaceSessionStore({ space, ...(options as object) }), 'ttl', 'ttlMs'],
  ['FastifySessionStore', (options) => new FastifySessionStore({ space, ...(options as object) }), 'ttl', 'ttlMs'],
  ['KoaSessionStore', (options) => new KoaSessionStore({ space, ...(options as object) }), 'polici', 'policy'],
  ['lock', (lock) => new SpaceSessionStore({ space, lock: lock as object }), 'leasems', 'leaseMs'],
  ['fetchSessions', (options) => fetchSessions({ space, secret, ...(options as object) }), 'cookies', 'cookie'],
  ['cookie', (cookie) => fetchSessions({ space, secret, cookie }), 'maxAge', 'maxAgeMs'],
  ['destroyAll', (options) => new SpaceSessionStore({ space }).destroyAll('ann', options), 'exept', 'except'],
  ['destroyAll', (options) => new KoaSessionStore({ space }).destroyAll('ann', options), 'exept', 'except'],
  ['notify', (options) => new SpaceSessionStore({ space }).notify(app, options), 'userId', 'user'],
]

/** Returns what it throws, or rejects with. */
const failureOf = async (run: () => unknown): Promise<unknown> => {
  try {
    return await run()
  } catch (error) {
    return error
  }
}

test.each(CASES)('%s', async (what, run, unknown, meant) => {
  const hint = meant ? ` Did you mean ${meant}?` : ''
  expect(await failureOf(() => run({ [unknown]: 1 } as never))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(`${what} has no option ${unknown}.${hint} There `),
  })
})

test('options that are no object are refused', async () => {
  for (const options of [5_000, 'soon', null, app]) {
    expect(await failureOf(() => space.take(Job, options as never))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  }
})

/** Those that are given the options of the case among others, which an object spreads. */
const AMONG_OTHERS = /^(?:create(?:Gateway|Worker|Client|Scheduler)|services\[0\]|\w+SessionStore|fetchSessions)$/

test.each(CASES.filter(([what]) => !AMONG_OTHERS.test(what)))(
  '%s: null is no object of options',
  async (_what, run) => {
    expect(await failureOf(() => run(null as never))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  },
)

const MAKERS: ((options: never) => unknown)[] = [
  createGateway,
  createWorker,
  createClient,
  createScheduler,
  fetchSessions,
]

test.each(MAKERS)('%p: neither is it here', async (make) => {
  expect(await failureOf(() => make(null as never))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await failureOf(() => make({ space: null } as never))).toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test.each([SpaceSessionStore, FastifySessionStore, KoaSessionStore])('%p: nor here', async (Store) => {
  expect(await failureOf(() => new Store(null as never))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await failureOf(() => new Store({ space, lock: null as never }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('an option that is null is refused by its name; a web request may have one', async () => {
  expect(await failureOf(() => space.take(Job, { waitMs: 0, tx: null } as never))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('tx of take must not be null'),
  })
  expect(await failureOf(() => openSpace('memory:', { logger: null } as never))).toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
  expect(await failureOf(() => client.fetch('/', { body: null, signal: null, timeoutMs: 1 }))).not.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
})

test('what an options object inherits is no concern of takes and writes', async () => {
  const inherited = Object.assign(Object.create({ helper: app }), { waitMs: 0 })
  expect(await space.take(Job.template({ a: 2 }), inherited)).toBe(null)
})

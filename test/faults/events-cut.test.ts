/** Promise 9: events are numbered without a gap, and a loss is told, whatever becomes of the link, of Redis, or of the session. */
import { afterEach, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import type { NotifyOptions, Registration } from '../../src/space/notify.js'
import type { MissedEvents } from '../../src/space/watch.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { overLink } from '../support/over-link.js'
import { until } from '../support/until.js'
import { nothingIsLeft } from './drained.js'
import { form, report } from './form.js'

const Task = defineEntry<{ n: number; note?: string }>('Task')
const Other = defineEntry<{ n: number }>('Other')

const at = overLink({ appendonly: true, appendfsync: 'always', anew: true })
afterEach(async () => {
  await at.near.takeAll([Task], { max: 10_000, waitMs: 0 })
  await at.close()
  await nothingIsLeft(at.redis)
})

/** What a listener behind the link was told: each event's entry and number, and what it has missed. */
interface Told {
  readonly registration: Registration
  readonly events: [number, number][]
  readonly missed: [number, number][]
  readonly ended: number[]
  /** Resolves when it is told of an entry that is written now. */
  stands(): Promise<void>
}

let last = 1_000_000
async function listen(options: NotifyOptions = {}): Promise<Told> {
  const [events, missed, ended]: [[number, number][], [number, number][], number[]] = [[], [], []]
  const listener = ({ entry, sequence }: { entry: { n: number }; sequence: number }): void =>
    void events.push([entry.n, sequence])
  const onMissed = (count: number, sequence: number): void => void missed.push([count, sequence])
  const onEnded = (): void => void ended.push(1)
  const registration = await at.far.notify([Task], listener, { ...options, onMissed, onEnded })
  return {
    registration,
    events,
    missed,
    ended,
    async stands() {
      // One that was missed tells of nothing; the next one does.
      await until(async () => {
        const n = ++last
        await at.near.write(Task({ n }))
        for (let i = 0; i < 3; i++) await at.far.readIfExists(Other)
        return events.some((event) => event[0] === n)
      }, 'events come again')
    },
  }
}

const rising = ({ events }: Told): void => {
  const numbers = events.map(([, sequence]) => sequence)
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
}
/** All that were numbered have come, or were told as missed. */
const complete = (told: Told): void => {
  rising(told)
  const lost = told.missed.reduce((sum, [count]) => sum + count, 0)
  expect(told.events.length + lost).toBe(told.events.at(-1)?.[1])
}

test(
  'while the link is cut again and again each event comes or is told as missed',
  async () => {
    const told = await listen()
    const cuts = form(10, 200)
    let n = 0
    for (let cut = 0; cut < cuts; cut++) {
      await at.isBack()
      await told.stands()
      const before = told.events.length
      const writes = Array.from({ length: 40 }, () =>
        at.near.write(Task({ n: n++, note: n % 10 ? '' : 'x'.repeat(3_000) })),
      )
      await Promise.race(writes)
      if (cut % 2) {
        // Some have come, and some may be on their way.
        await until(() => told.events.length >= before + 3, 'events come')
        at.link.cut()
      } else {
        at.link.dropReplies()
        await Promise.all(writes)
        at.link.heal()
      }
      await Promise.all(writes)
    }
    await at.isBack()
    await told.stands()
    const lost = told.missed.reduce((sum, [count]) => sum + count, 0)
    report('link cut while events come', {
      cuts,
      events: told.events.length,
      missed: lost,
      reports: told.missed.length,
    })
    complete(told)
    expect(Math.min(told.events.length, lost)).toBeGreaterThan(cuts)
    expect(told.events.at(-1)?.[1]).toBeGreaterThan(cuts * 40)
    expect(new Set(told.events.map(([each]) => each)).size).toBe(told.events.length)
    expect(told.ended).toEqual([])
    expect(await violations(at.redis)).toEqual([])
  },
  form(30_000, 600_000),
)

test('a watch is told of what was lost with the link in its place', async () => {
  await using watch = at.far.watch(Task)
  await watch.ready
  await at.near.write(Task({ n: 0 }))
  await at.near.write(Task({ n: 1 }))
  expect((await watch.next()).value).toMatchObject({ entry: { n: 0 }, sequence: 1 })
  // The second one has come, and is kept.
  await at.far.readIfExists(Other)
  await at.away()
  for (let n = 2; n < 7; n++) await at.near.write(Task({ n }))
  await at.back()
  await at.isBack()
  expect((await watch.next()).value).toMatchObject({ entry: { n: 1 }, sequence: 2 })
  // On a slow machine the space has ended the registration before the link was back.
  const { missed, sequence } = (await watch.next()).value as MissedEvents
  expect(['5 up to 7', 'Infinity up to 3']).toContain(`${missed} up to ${sequence}`)
  let event: unknown
  void watch.next().then(({ value }) => {
    event = value
  })
  await until(async () => {
    await at.near.write(Task({ n: 7 }))
    return event !== undefined
  }, 'events come again')
  expect(event).toMatchObject({ entry: { n: 7 }, sequence: sequence + 1 })
})

test('the functions of Redis are flushed: nothing is missed', async () => {
  const told = await listen()
  await at.near.write(Task({ n: 1 }))
  await at.redis.cli('FUNCTION', 'FLUSH')
  for (const n of [2, 3]) await at.near.write(Task({ n }))
  await told.stands()
  expect(told.events.slice(0, 3)).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ])
  complete(told)
})

test('Redis is killed and comes back: the registration stands, and what was missed is told', async () => {
  const told = await listen()
  const writing = Promise.allSettled(Array.from({ length: 50 }, (_, n) => at.near.write(Task({ n }))))
  await until(() => told.events.length > 0, 'events come')
  await at.redis.kill()
  await at.redis.restart()
  await writing
  await at.isBack()
  await told.stands()
  complete(told)
  expect(told.ended).toEqual([])
  await told.registration.cancel()
  expect(await violations(at.redis)).toEqual([])
})

test('the session was declared dead: that nobody knows how many were missed is told, and events come again', async () => {
  const told = await listen()
  await at.near.write(Task({ n: 1 }))
  await at.near.declareDead(at.far.presence)
  await told.stands()
  rising(told)
  expect(told.missed).toEqual([[Number.POSITIVE_INFINITY, 2]])
  expect(told.ended).toEqual([])
  await told.registration.lease.renew(60_000)
  await told.registration.cancel()
})

test('the link is away for so long that the session is given up: the same, but one under a transaction has ended with it', async () => {
  const told = await listen()
  const tx = await at.far.begin()
  const under = await listen({ tx })
  const session = `{ts:default}:presence:${at.far.presence}`
  await at.away()
  await until(async () => {
    await at.near.write(Task({ n: 1 }))
    return (await at.redis.cli('EXISTS', session)) === '0'
  }, 'the space has given it up')
  await at.back()
  await told.stands()
  expect(told.missed).toEqual([[Number.POSITIVE_INFINITY, 1]])
  rising(told)
  await until(() => under.ended.length > 0, 'it is told that its registration has ended')
  expect(under.ended).toEqual([1])
  await expect(tx.commit()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
})

test('its lease ends while the link is away: it has ended, and does not come back', async () => {
  const told = await listen({ leaseMs: 100 })
  const kept = await listen({ leaseMs: 60_000 })
  await at.away()
  const over = performance.now() + 150
  await until(() => performance.now() > over, 'the lease to end')
  await at.near.write(Task({ n: 1 }))
  await at.back()
  await kept.stands()
  expect(told.ended).toEqual([1])
  expect([told.events, told.missed]).toEqual([[], []])
  await expect(told.registration.lease.renew(1_000)).rejects.toMatchObject({ code: 'LEASE_UNKNOWN' })
  // The other's is what it was granted for, and no more.
  const [, ends] = (await at.redis.cli('ZRANGE', '{ts:default}:registrations', '-1', '-1', 'WITHSCORES')).split('\n')
  expect(Number(ends)).toBeLessThanOrEqual(kept.registration.lease.expiresAt + 1)
})

failOnLeaks()

/** What locks of session entries promise: one holder at a time, handed on in order, ended at their time. */
import { afterEach, expect, test } from '@jest/globals'
import type { LoadedSession } from '../../src/engine/sessions.js'
import { everyEngine } from '../support/every-engine.js'
import { until } from '../support/until.js'
import { change, codeOf, ID, makerOf, readerOf, sessionsOf, textsOf, versionsOf } from './session-changes.js'

const LOCK = { lockMs: 10_000, waitMs: 5_000 }

everyEngine('locks of session entries', (opened) => {
  afterEach(async () => expect(await opened().violations()).toEqual([]))

  const make = makerOf(opened)
  const read = readerOf(opened)

  test('is handed to who waits, first come, first served, when it is saved, touched or released', async () => {
    const { space, other } = opened()
    await make({ n: '0' })
    const got: string[] = []
    const views = [space, other]
    const increment = async (i: number): Promise<void> => {
      const sessions = sessionsOf(views[i % 2]!)
      const loaded = await sessions.load(ID, LOCK)
      got.push(String(i))
      if (i % 3 === 0) await sessions.release(loaded!.lock)
      else if (i % 3 === 1) await sessions.touch(ID, 60_000, loaded!.lock)
      else {
        const n = String(Number(loaded!.attributes.get('n')?.text) + 1)
        await sessions.save(ID, change({ n }, { lock: loaded!.lock, versions: versionsOf(loaded) }))
      }
    }
    await Promise.all(Array.from({ length: 60 }, (_, i) => increment(i)))
    expect(await read()).toEqual({ n: '20' })
    // Those of one process come in the order in which they asked.
    for (const view of [0, 1]) {
      const own = got.map(Number).filter((i) => i % 2 === view)
      expect(own).toEqual([...own].sort((a, b) => a - b))
    }
  })

  test('keeps others from saving, not from reading, touching or destroying', async () => {
    const { space, other } = opened()
    await make({ n: '0' })
    const { lock } = (await sessionsOf(space).load(ID, LOCK)) as LoadedSession
    expect(lock).not.toBe('')
    expect(await codeOf(sessionsOf(other).save(ID, change({ n: '1' })))).toBe('SESSION_LOCKED')
    expect(await codeOf(sessionsOf(other).save(ID, change({ n: '1' }, { isNew: true })))).toBe('SESSION_LOCKED')
    expect(await read()).toEqual({ n: '0' })
    expect(await sessionsOf(other).touch(ID, 60_000, '')).toBe(true)
    expect(textsOf(await sessionsOf(space).reload(ID, lock))).toEqual({ n: '0' })
    expect(await sessionsOf(other).destroy(ID)).toBe(true)
    expect(await sessionsOf(space).save(ID, change({ n: '1' }, { lock }))).toBeNull()
  })

  test('whoever waits for a session that ends hears that it is gone', async () => {
    const { space, other } = opened()
    await make({ n: '0' })
    await sessionsOf(space).load(ID, LOCK)
    const waiting = [sessionsOf(other).load(ID, LOCK), sessionsOf(space).load(ID, LOCK)]
    await sessionsOf(space).count()
    await sessionsOf(space).destroy(ID)
    expect(await Promise.all(waiting)).toEqual([null, null])
  })

  test('given back as the session ends is handed to nobody', async () => {
    const { space, other } = opened()
    const ends = {
      touch: (lock: string) => sessionsOf(space).touch(ID, 0, lock),
      save: (lock: string) => sessionsOf(space).save(ID, change({ n: '1' }, { leaseMs: 0, lock })),
    }
    for (const end of Object.values(ends)) {
      await make({ n: '0' })
      const { lock } = (await sessionsOf(space).load(ID, LOCK)) as LoadedSession
      const waiting = [sessionsOf(other).load(ID, LOCK), sessionsOf(space).load(ID, LOCK)]
      await Promise.all([space, other].map((view) => sessionsOf(view).count()))
      expect(await end(lock)).toBeTruthy()
      expect(await Promise.all(waiting)).toEqual([null, null])
    }
  })

  test('ends at its time: the next has it, and what its holder saves then is refused', async () => {
    const { space, other } = opened()
    await make({ n: '0' })
    const first = (await sessionsOf(space).load(ID, { lockMs: 150, waitMs: 0 })) as LoadedSession
    const began = performance.now()
    const second = (await sessionsOf(other).load(ID, LOCK)) as LoadedSession
    const waited = performance.now() - began
    expect(waited).toBeGreaterThan(100)
    expect(await codeOf(sessionsOf(space).save(ID, change({ n: '1' }, { lock: first.lock })))).toBe('CLAIM_LOST')
    await sessionsOf(other).save(ID, change({ n: '2' }, { lock: second.lock }))
    expect(await read()).toEqual({ n: '2' })
    // It is over, so nothing is given back that somebody else may have.
    const third = (await sessionsOf(other).load(ID, LOCK)) as LoadedSession
    await sessionsOf(space).release(first.lock)
    expect(await codeOf(sessionsOf(space).save(ID, change({ n: '3' })))).toBe('SESSION_LOCKED')
    await sessionsOf(other).release(third.lock)
  })

  test('that is free is had by who waits for no time at all', async () => {
    const { space } = opened()
    await make({ n: '0' })
    for (let i = 0; i < 100; i++) {
      const loads = await Promise.allSettled(
        ['$two', ID].map((id) => sessionsOf(space).load(id, { ...LOCK, waitMs: 0 })),
      )
      expect(loads.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
      await sessionsOf(space).release((loads[1] as PromiseFulfilledResult<LoadedSession>).value.lock)
    }
  })

  test('is waited for so long and no longer', async () => {
    const { space, other } = opened()
    await make({ n: '0' })
    const held = (await sessionsOf(space).load(ID, LOCK)) as LoadedSession
    const began = performance.now()
    expect(await codeOf(sessionsOf(other).load(ID, { lockMs: 1_000, waitMs: 100 }))).toBe('SESSION_LOCKED')
    expect(performance.now() - began).toBeGreaterThanOrEqual(100)
    // Who gave up stands in nobody's way.
    const next = sessionsOf(other).load(ID, LOCK)
    await sessionsOf(space).release(held.lock)
    expect((await next)?.lock).not.toBe('')
  })

  test('of a process that is gone, or closes, goes to the next', async () => {
    const { space, other } = opened()
    await make({ n: '0' })
    const first = (await sessionsOf(space).load(ID, LOCK)) as LoadedSession
    const next = sessionsOf(other).load(ID, LOCK)
    await sessionsOf(other).count()
    await other.declareDead(space.presence)
    const second = (await next) as LoadedSession
    expect(second.lock).not.toBe('')
    await until(
      async () => (await codeOf(sessionsOf(space).save(ID, change({ n: '1' }, { lock: first.lock })))) === 'CLAIM_LOST',
      'the former holder is refused',
    )
    const third = sessionsOf(space).load(ID, LOCK)
    await until(
      async () => (await codeOf(sessionsOf(space).save(ID, change({ n: '1' })))) === 'SESSION_LOCKED',
      'it waits',
    )
    await other.close()
    expect((await third)?.lock).not.toBe('')
  })

  test('a wait ends when its process closes', async () => {
    const { space, other } = opened()
    await make({ n: '0' })
    await sessionsOf(space).load(ID, LOCK)
    const waiting = codeOf(sessionsOf(other).load(ID, LOCK))
    await other.close()
    expect(await waiting).toBe('SPACE_CLOSED')
  })
})

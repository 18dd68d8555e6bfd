/** What session entries promise: saves are differences, what has ended stays so, a lock is one holder's and is handed on. */
import { afterEach, describe, expect, test } from '@jest/globals'
import { endedOf, type LoadedSession, ownerToken, SESSION } from '../../src/engine/sessions.js'
import type { Space } from '../../src/space.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { until } from '../support/until.js'
import { change, codeOf, ID, makerOf, readerOf, sessionsOf, versionsOf } from './session-changes.js'

everyEngine('Session entries', (opened) => {
  afterEach(async () => expect(await opened().violations()).toEqual([]))

  const make = makerOf(opened)
  const read = readerOf(opened)

  describe('a save', () => {
    test('changes what it names and nothing else', async () => {
      const { space } = opened()
      await make({ a: '1', b: '"two"', c: '[3]' })
      await sessionsOf(space).save(ID, change({ a: '10', d: '4' }, { removed: ['c'] }))
      expect(await read()).toEqual({ a: '10', b: '"two"', d: '4' })
    })

    test('of two at once that change different attributes loses neither', async () => {
      const { space, other } = opened()
      await make({ a: '0', b: '0' })
      const saves = Array.from({ length: 50 }, (_, i) => [
        sessionsOf(space).save(ID, change({ [`a${i}`]: String(i) })),
        sessionsOf(other).save(ID, change({ [`b${i}`]: String(i) })),
      ])
      await Promise.all(saves.flat())
      expect(Object.keys((await read()) ?? {})).toHaveLength(102)
    })

    test('that brings all there is loses nothing that another one has changed meanwhile', async () => {
      const { space, other } = opened()
      const saved = await make({ a: '1', b: '1' })
      expect(saved?.isKnown).toBe(true)
      const base = (await sessionsOf(space).load(ID)) as LoadedSession
      expect(base.version).toBe(saved?.version)
      const whole = await sessionsOf(space).save(ID, change({ a: '2' }, { base }))
      expect(whole?.isKnown).toBe(true)
      // What it was based on is not what there is any longer.
      await sessionsOf(other).save(ID, change({ c: '3' }, { removed: ['b'] }))
      const put = await sessionsOf(space).save(ID, change({ d: '4' }, { base }))
      expect(put?.isKnown).toBe(false)
      expect(await read()).toEqual({ a: '2', c: '3', d: '4' })
      const again = (await sessionsOf(other).load(ID)) as LoadedSession
      expect(again.version).toBe(put?.version)
      // The versions of what stays as it is stay, too.
      const seen = versionsOf(again)
      await sessionsOf(space).save(ID, change({ d: '5' }, { base: again, versions: seen }))
      const { d: _, ...rest } = Object.fromEntries(versionsOf(await sessionsOf(other).load(ID)))
      expect(rest).toEqual({ a: seen.get('a'), c: seen.get('c') })
    })

    test('that is new takes the place of all that was there', async () => {
      await make({ a: '1', b: '2' })
      await make({ c: '3' })
      expect(await read()).toEqual({ c: '3' })
    })

    test('takes any name and any text', async () => {
      const odd = {
        'a b|c\t\n=é%': JSON.stringify('ä\n\t\u0000𝒳'),
        __proto__x: '{}',
        '.': '1',
        '': '"empty"',
        '=': '2',
      }
      await make(odd)
      expect(await read()).toEqual(odd)
      await sessionsOf(opened().space).save(ID, change({}, { removed: ['a b|c\t\n=é%', '.'] }))
      expect(Object.keys((await read()) ?? {}).sort()).toEqual(['', '=', '__proto__x'])
    })

    test('is refused as a whole if an attribute that it stands on has changed', async () => {
      const { space, other } = opened()
      await make({ a: '1', b: '1' })
      const seen = versionsOf(await sessionsOf(space).load(ID))
      await sessionsOf(other).save(ID, change({ b: '2' }))
      // Of `a` nobody has changed anything.
      await sessionsOf(space).save(ID, change({ a: '2' }, { versions: seen }))
      expect(await codeOf(sessionsOf(space).save(ID, change({ c: '1', b: '3' }, { versions: seen })))).toBe(
        'SESSION_CONFLICT',
      )
      expect(await codeOf(sessionsOf(space).save(ID, change({}, { removed: ['b'], versions: seen })))).toBe(
        'SESSION_CONFLICT',
      )
      expect(await read()).toEqual({ a: '2', b: '2' })
      // One that nobody knew of.
      await sessionsOf(other).save(ID, change({ d: '1' }))
      expect(await codeOf(sessionsOf(space).save(ID, change({ d: '2' }, { versions: seen })))).toBe('SESSION_CONFLICT')
      // And one that was removed and is there again.
      const again = versionsOf(await sessionsOf(space).load(ID))
      await sessionsOf(other).save(ID, change({}, { removed: ['a'] }))
      await sessionsOf(other).save(ID, change({ a: '2' }))
      expect(await codeOf(sessionsOf(space).save(ID, change({ a: '3' }, { versions: again })))).toBe('SESSION_CONFLICT')
    })

    test('answers the version on which the next one may stand', async () => {
      const { space } = opened()
      const first = (await make({ a: '1' }))?.version
      const second = (await sessionsOf(space).save(ID, change({ a: '2' }, { versions: new Map([['a', first!]]) })))
        ?.version
      expect(second).not.toBe(first)
      expect(
        await sessionsOf(space).save(ID, change({ a: '3' }, { versions: new Map([['a', second!]]) })),
      ).not.toBeNull()
    })

    test('beyond the size that is allowed is refused, and the session stays as it was; what makes it smaller never is', async () => {
      const { space } = opened()
      await make({ a: '"x"' }, { maxBytes: 100 })
      const large = JSON.stringify('y'.repeat(100))
      expect(await codeOf(sessionsOf(space).save(ID, change({ b: large }, { maxBytes: 100 })))).toBe(
        'SESSION_TOO_LARGE',
      )
      expect(await codeOf(make({ b: large }, { maxBytes: 100 }, '$two'))).toBe('SESSION_TOO_LARGE')
      expect(await read()).toEqual({ a: '"x"' })
      await sessionsOf(space).save(ID, change({ b: large }))
      await sessionsOf(space).save(ID, change({ b: JSON.stringify('y'.repeat(99)) }, { maxBytes: 10 }))
      expect((await read())?.b).toHaveLength(101)
    })
  })

  describe('what has ended', () => {
    test('is not there for a save, a touch or a load, and none of them brings it back', async () => {
      const { space, other } = opened()
      await make({ a: '1' })
      expect(await sessionsOf(other).destroy(ID)).toBe(true)
      expect(await sessionsOf(other).destroy(ID)).toBe(false)
      expect(await sessionsOf(space).save(ID, change({ a: '2' }))).toBeNull()
      expect(await sessionsOf(space).touch(ID, 60_000, '')).toBe(false)
      expect(await read()).toBeNull()
    })

    test('its lease ends exactly: there until then, gone from then on', async () => {
      const { space, other } = opened()
      await make({ a: '1' }, { leaseMs: 300 })
      const made = performance.now()
      const left = (await sessionsOf(other).load(ID))?.remainingMs as number
      expect(left).toBeGreaterThan(0)
      expect(left).toBeLessThanOrEqual(300)
      await until(async () => (await sessionsOf(other).load(ID)) === null, 'its end')
      expect(performance.now() - made).toBeGreaterThanOrEqual(left - 5)
      expect(await sessionsOf(space).save(ID, change({ a: '2' }))).toBeNull()
      expect(await sessionsOf(space).count()).toBe(0)
    })

    test('a touch renews the lease, and changes nothing', async () => {
      const { space, other } = opened()
      await make({ a: '1' }, { leaseMs: 400 })
      const seen = versionsOf(await sessionsOf(other).load(ID))
      expect(await sessionsOf(space).touch(ID, 60_000, '')).toBe(true)
      const end = performance.now() + 450
      await until(() => performance.now() > end, 'what it had before to be over')
      const loaded = await sessionsOf(other).load(ID)
      expect(versionsOf(loaded)).toEqual(seen)
      expect(loaded?.remainingMs).toBeGreaterThan(50_000)
      expect(await sessionsOf(space).touch(ID, Number.POSITIVE_INFINITY, '')).toBe(true)
      expect((await sessionsOf(other).load(ID))?.remainingMs).toBe(Number.POSITIVE_INFINITY)
    })

    test('whoever asked for it is told within a second, and of each end why', async () => {
      const { space, other } = opened()
      const told: unknown[] = []
      const templates = [{ kind: SESSION, root: SESSION, indexed: [], verified: [] }]
      const anns = [{ ...templates[0]!, indexed: [ownerToken('ann|a b')] }]
      const ofAnn: string[] = []
      const ignored = { onMissed: () => {}, onEnded: () => {} }
      await other.engine.notify({
        templates,
        on: 'ended',
        leaseMs: 60_000,
        ...ignored,
        onEvent: ({ id, body }, sequence) => void told.push({ id, ...endedOf(body), sequence }),
      })
      await other.engine.notify({
        templates: anns,
        on: 'ended',
        leaseMs: 60_000,
        ...ignored,
        onEvent: ({ id }) => void ofAnn.push(id),
      })
      await make({ a: '1' }, { owner: 'ann|a b' })
      await make({ a: '1' }, { leaseMs: 200 }, '$two')
      await make({ a: '1' }, {}, '$three')
      await sessionsOf(space).destroy(ID)
      await until(() => told.length === 1, 'the first event')
      await until(() => told.length === 2, 'the second event', 200 + 1_500)
      expect(told).toEqual([
        { id: ID, reason: 'destroyed', owner: 'ann|a b', sequence: 1 },
        { id: '$two', reason: 'expired', owner: '', sequence: 2 },
      ])
      expect(ofAnn).toEqual([ID])
    })
  })

  describe('owners', () => {
    test('whose sessions there are is known without looking at them', async () => {
      const { space, other } = opened()
      await make({ a: '1' }, { owner: 'ann' }, '$1')
      await make({ a: '1' }, { owner: 'ann' }, '$2')
      await make({ a: '1' }, { owner: 'bob' }, '$3')
      await make({ a: '1' }, {}, '$4')
      const counts = async () =>
        Promise.all([undefined, 'ann', 'bob', 'eve'].map((who) => sessionsOf(other).count(who)))
      expect(await counts()).toEqual([4, 2, 1, 0])
      expect([...(await sessionsOf(other).list('ann', null)).ids].sort()).toEqual(['$1', '$2'])
      expect([...(await sessionsOf(other).list(undefined, null)).ids].sort()).toEqual(['$1', '$2', '$3', '$4'])
      // Saved without a word about its owner it stays as it was.
      await sessionsOf(space).save('$1', change({ a: '2' }))
      await sessionsOf(space).save('$2', change({ a: '2' }, { owner: 'bob' }))
      await sessionsOf(space).save('$3', change({ a: '2' }, { owner: '' }))
      expect(await counts()).toEqual([4, 1, 1, 0])
      expect((await sessionsOf(other).load('$2'))?.owner).toBe('bob')
      await sessionsOf(space).destroy('$2')
      expect(await counts()).toEqual([3, 1, 0, 0])
    })

    test('more than a page of them', async () => {
      const { space, other } = opened()
      const ids = Array.from({ length: 500 }, (_, i) => `$${i}`)
      await Promise.all(ids.map((id) => sessionsOf(space).save(id, change({ a: '1' }, { isNew: true, owner: 'ann' }))))
      for (const owner of ['ann', undefined]) {
        const found = new Set<string>()
        for (let after: string | null = null; ; ) {
          const page = await sessionsOf(other).list(owner, after)
          for (const id of page.ids) found.add(id)
          if (page.next === null) break
          after = page.next
        }
        expect(found.size).toBe(500)
      }
      expect((await space.engine.kinds()).get(SESSION)).toBe(500)
    })
  })

  describe('in a bounded space', () => {
    testInOnePartition('sessions count as entries; those that are there go on', async () => {
      const { bounded, other } = opened()
      const space = await bounded({ maxEntries: 2 })
      await make({ n: '1' }, {}, '$1')
      await sessionsOf(space).save('$2', change({ n: '1' }, { isNew: true }))
      expect(await codeOf(sessionsOf(space).save('$3', change({ n: '1' }, { isNew: true })))).toBe('SPACE_FULL')
      await sessionsOf(space).save('$2', change({ n: '22', more: '1' }))
      await sessionsOf(other).destroy('$1')
      await sessionsOf(space).save('$3', change({ n: '1' }, { isNew: true }))
      expect(await sessionsOf(space).count()).toBe(2)
    })

    testInOnePartition('their bytes count, too', async () => {
      const { bounded } = opened()
      // What Redis needs for itself is not of sessions.
      const space = await bounded({ maxBytes: 20_000 })
      const text = JSON.stringify('x'.repeat(8_000))
      await sessionsOf(space).save('$1', change({ text }, { isNew: true }))
      await sessionsOf(space).save('$2', change({ text }, { isNew: true }))
      expect(await codeOf(sessionsOf(space).save('$3', change({ text }, { isNew: true })))).toBe('SPACE_FULL')
      expect(await codeOf(sessionsOf(space).save('$2', change({ more: text })))).toBe('SPACE_FULL')
      await sessionsOf(space).save('$1', change({}, { removed: ['text'] }))
      await sessionsOf(space).save('$3', change({ text }, { isNew: true }))
    })
  })

  test('many at once, on one session, by two processes: nothing is lost', async () => {
    const { space, other } = opened()
    await make({ n: '0' })
    const increment = async (view: Space): Promise<void> => {
      const loaded = (await sessionsOf(view).load(ID, { lockMs: 10_000, waitMs: 20_000 })) as LoadedSession
      const n = String(Number(loaded.attributes.get('n')?.text) + 1)
      await sessionsOf(view).save(ID, change({ n }, { lock: loaded.lock }))
    }
    await Promise.all(Array.from({ length: 200 }, (_, i) => increment(i % 2 ? space : other)))
    expect(await read()).toEqual({ n: '200' })
  })
})

/** What reading promises: the entry stays, and every waiting reader is shown it at the moment it appears. */
import { expect, test } from '@jest/globals'
import { everyEngine } from '../support/every-engine.js'
import { Task } from '../support/kinds.js'

everyEngine('reading', (opened) => {
  test('a read entry stays', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'stays' }))
    expect(await space.read(Task)).toEqual({ id: 'stays' })
    expect(await other.read(Task)).toEqual({ id: 'stays' })
    expect(await other.takeIfExists(Task)).toEqual({ id: 'stays' })
  })

  test('every waiting reader is shown the entry, and one waiting taker gets it', async () => {
    const { space, other } = opened()
    const taker = space.take(Task, { waitMs: 5_000 })
    const readers = [space.read(Task), other.read(Task), other.read(Task.template({ id: 'x' }))]
    const late = other.take(Task, { waitMs: 200 })
    // Asked for in order on each connection: what answers shows that the waits stand in line.
    await Promise.all([space.readIfExists(Task), other.readIfExists(Task)])
    await space.write(Task({ id: 'x' }))
    expect(await Promise.all(readers)).toEqual([{ id: 'x' }, { id: 'x' }, { id: 'x' }])
    expect([await taker, await late].filter((entry) => entry !== null)).toEqual([{ id: 'x' }])
  })

  test('a wait that is over returns null', async () => {
    const { space } = opened()
    expect(await space.read(Task, { waitMs: 20 })).toBeNull()
    expect(await space.readIfExists(Task)).toBeNull()
  })
})

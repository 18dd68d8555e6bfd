/** Which handlers are said to run on after their turns, and when a process is judged by them. */
import { expect, test } from '@jest/globals'
import { OverrunHandlers, type Overrunning } from '../../workers/overrun.js'
import { until } from '../support/until.js'

const MAX = 8

/** A handler that is told when it is found. */
class Handler implements Overrunning {
  found = 0
  runsOn(): void {
    this.found++
  }
}

/** Adds so many, all of them counted or none, and returns those that something still refers to. */
function add(overrun: OverrunHandlers, count: number, { counted = false, held = true } = {}): Handler[] {
  const handlers = Array.from({ length: count }, () => new Handler())
  for (const handler of handlers) overrun.add(handler).counted = counted
  return held ? handlers : []
}

test('those that nothing refers to any longer are collected, and a process is never judged by them', async () => {
  const overrun = new OverrunHandlers(MAX, 0)
  add(overrun, 3 * MAX, { counted: true, held: false })
  expect(overrun.size).toBe(MAX - 1)
  await until(() => overrun.size === 0, 'they are collected')
})

test('those that run on are enough for a judgement once a collection has left them', async () => {
  const overrun = new OverrunHandlers(MAX, 0)
  const handlers = add(overrun, MAX, { counted: true })
  expect(overrun.size).toBe(MAX - 1)
  await until(() => overrun.size === MAX, 'a collection has left them')
  expect(handlers.length).toBe(MAX)
})

test('below that number no collection is forced', async () => {
  let collections = 0
  const overrun = new OverrunHandlers(MAX, 0, () => ++collections > 0)
  const handlers = add(overrun, MAX - 1, { counted: true })
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  expect([collections, overrun.size, handlers.length]).toEqual([0, MAX - 1, MAX - 1])
})

test('handlers whose clients have left are found by a collection that leaves them, if they have had long enough to end', async () => {
  const overrun = new OverrunHandlers(MAX, 0)
  const handlers = add(overrun, MAX)
  await until(() => handlers.every(({ found }) => found === 1), 'they are found')
  let collections = 0
  const patient = new OverrunHandlers(MAX, 60_000, () => ++collections > 0)
  const young = add(patient, MAX)
  await until(() => collections > 0, 'it has looked')
  expect([young.filter(({ found }) => found > 0), patient.size]).toEqual([[], 0])
})

test('one that ends is no longer counted', () => {
  const overrun = new OverrunHandlers(MAX, 0)
  const handler = new Handler()
  const entry = overrun.add(handler)
  entry.counted = true
  expect(overrun.size).toBe(1)
  overrun.remove(entry)
  expect([overrun.size, handler.found]).toEqual([0, 0])
})

test('where no garbage collection can be forced, those that are merely referred to are not counted', async () => {
  let asked = 0
  const overrun = new OverrunHandlers(MAX, 0, () => ++asked < 0)
  const silent = add(overrun, MAX)
  const loud = add(overrun, MAX, { counted: true })
  await until(() => asked > 0, 'it has tried')
  expect([overrun.size, silent.filter(({ found }) => found > 0), loud.length]).toEqual([MAX, [], MAX])
})

test('at the end of a worker those that run on are told, but for those whose clients have just left', () => {
  const overrun = new OverrunHandlers(MAX, 60_000)
  const handlers = [...add(overrun, 2), ...add(overrun, 3, { counted: true })]
  expect([overrun.collected(), handlers.length]).toEqual([3, 5])
  overrun.stop()
})

/** The numbers of pushes: a loss is noticed once, and nothing else is taken for one. */
import { expect, test } from '@jest/globals'
import { PushOrder } from '../../src/engines/redis/wire/push-order.js'

const of = (library: string) => (number: number) => ({ library, number, now: 1, at: 0 })
const message = of('a_')

test('messages in order are complete, whatever comes between a beat and its reply', () => {
  const order = new PushOrder()
  expect([1, 2, 3].every((number) => order.follows(message(number)))).toBe(true)
  // The beat counted two; the third was sent by another process before the reply.
  expect(order.isComplete('a_', 2)).toBe(true)
  expect(order.follows(message(4))).toBe(true)
  expect(order.isComplete('a_', 4)).toBe(true)
})

test('a gap is a loss, and so is a last message that has not come; each is told once', () => {
  const order = new PushOrder()
  order.follows(message(1))
  expect(order.follows(message(3))).toBe(false)
  expect(order.follows(message(4))).toBe(true)
  expect(order.isComplete('a_', 6)).toBe(false)
  expect(order.isComplete('a_', 6)).toBe(true)
  expect(order.follows(message(7))).toBe(true)
})

test('a library that was loaded again begins at 1, and two libraries number by themselves', () => {
  const order = new PushOrder()
  const other = of('b_')
  expect([5, 6].every((number) => order.follows(message(number)))).toBe(true)
  expect([1, 2].every((number) => order.follows(other(number)))).toBe(true)
  expect(order.follows(message(7))).toBe(true)
  expect(order.follows(message(1))).toBe(true)
  expect(order.follows(message(2))).toBe(true)
})

test('a new link begins anew', () => {
  const order = new PushOrder()
  order.follows(message(1))
  order.restart()
  expect(order.isComplete('a_', 9)).toBe(true)
  expect(order.follows(message(10))).toBe(true)
})

/** The bounds on what a gateway holds at a time. */
import { expect, test } from '@jest/globals'
import { BodyLimits, Limits } from '../../gateway/limits.js'

const code = (code: string) => expect.objectContaining({ code })

test('bodies are bounded together, and what was refused does not count', () => {
  const limits = new Limits(10, 150)
  const bodies = new BodyLimits(limits, 100, '')
  limits.enter()
  bodies.hold(0, 100)
  limits.enter()
  expect(() => bodies.hold(0, 51)).toThrow(code('OVERLOADED'))
  bodies.hold(0, 50)
  limits.leave(100)
  bodies.hold(50, 50)
  expect(() => bodies.hold(100, 1)).toThrow(code('BODY_TOO_LARGE'))
  limits.leave(100)
})

test('requests in flight are bounded, and idle when all have left', async () => {
  const limits = new Limits(2)
  limits.enter()
  limits.enter()
  expect(() => limits.enter()).toThrow(code('OVERLOADED'))
  let idle = false
  const waiting = limits.idle().then(() => {
    idle = true
  })
  limits.leave(0)
  await Promise.resolve()
  expect(idle).toBe(false)
  limits.leave(0)
  await waiting
  await limits.idle()
})

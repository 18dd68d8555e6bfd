/** Promise 8: a process that was taken for dead, and whose way back is cut once more, does nothing a second time. */
import { expect, test } from '@jest/globals'
import { Task } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { overLink } from '../support/over-link.js'
import { until } from '../support/until.js'

const at = overLink()

/** The reply that a process has joined: `done`, the lease clock, and which presence it is. */
const isHello = (bytes: Buffer): boolean => /^\*3\r\n\$1\r\nk\r\n/.test(bytes.toString('latin1'))

test('a write whose answer was lost, and then the answer that the session is a new one, is not done again', async () => {
  await at.far.readIfExists(Task)
  await at.link.refuse()
  const lost = at.link.dropNextReplyThenCut()
  const told = at.far.write(Task({ id: 't1' })).then(
    () => 'written',
    (error) => error.code,
  )
  await lost
  expect(await at.near.take(Task, { waitMs: 1_000 })).toEqual({ id: 't1' })
  await at.near.declareDead(at.far.presence)
  const again = at.link.dropNextReplyThenCut(isHello)
  await at.link.accept()
  await again
  expect(await told).toBe('OUTCOME_UNKNOWN')
  expect(await at.near.takeIfExists(Task)).toBeNull()
})

test('a process that is cut twice, and was back in between, is missing since the second cut', async () => {
  // So long it may be missing (SHARED.graceMs in protocol.ts).
  const GRACE_MS = 250
  const connected = async (): Promise<boolean> => (await at.far.engine.health()).connected
  const born = (): Promise<string> => at.redis.cli('HGET', `{ts:default}:presence:${at.far.presence}`, 'born')
  // Whoever calls looks around.
  const looking = (enough: () => boolean): Promise<void> =>
    until(async () => {
      await at.near.readIfExists(Task)
      return enough()
    }, 'somebody has looked')
  let shown = 0
  // On a busy machine most rounds show nothing: see below.
  const began = performance.now()
  while (shown < 3 && performance.now() - began < (shown > 0 ? 20_000 : 80_000)) {
    await until(connected, 'it is back')
    const was = await born()
    // A handshake over so slow a link takes about 100 ms.
    at.link.delay(8)
    const wasBack = at.link.dropNextReplyThenCut(isHello)
    at.link.cut()
    const first = performance.now()
    await looking(() => performance.now() > first + 60)
    await wasBack
    at.link.delay(12)
    const second = performance.now()
    await until(() => performance.now() > first + GRACE_MS + 10, 'it would have been missing for too long')
    const isAway = !(await connected())
    await looking(() => performance.now() > first + GRACE_MS + 20)
    await until(connected, 'it is back')
    at.link.delay(0)
    // On a busy machine it may have been away for longer, and then it is rightly taken for dead.
    if (!isAway || performance.now() - second > GRACE_MS) continue
    shown++
    expect(await born()).toBe(was)
  }
  expect(shown).toBeGreaterThan(0)
})

failOnLeaks()

/** Promise 8: a process that was taken for dead, and whose way back is cut once more, does nothing a second time. */
import { expect, test } from '@jest/globals'
import { Task } from '../support/kinds.js'
import { failOnLeaks } from '../support/leaks.js'
import { overLink } from '../support/over-link.js'

const at = overLink()

/** The reply that a session was opened. */
const isHello = (bytes: Buffer): boolean => /^\*[23]\r\n\$1\r\n[FK]\r\n/.test(bytes.toString('latin1'))

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
  await at.near.declareDead(at.far.session)
  const again = at.link.dropNextReplyThenCut(isHello)
  await at.link.accept()
  await again
  expect(await told).toBe('OUTCOME_UNKNOWN')
  expect(await at.near.takeIfExists(Task)).toBeNull()
})

failOnLeaks()

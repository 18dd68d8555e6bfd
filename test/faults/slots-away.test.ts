/** Promise 9 for workers that stream: a slot that is given back while the link is away counts once on the next one. */
import { expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { overLink } from '../support/over-link.js'
import { until } from '../support/until.js'
import { creditOf, hold, OK, outcomeOf, send } from './requests.js'

const at = overLink()
const CONCURRENCY = 2

test('the worker is given no more than it has room for', async () => {
  const holder = await hold(at.far, CONCURRENCY)
  const sent = send(at.near, '/streams', { repeatable: true })
  await until(() => holder.held.length === 1, 'it is held')
  const [streaming] = holder.held.splice(0)
  await at.away()
  streaming?.releaseSlot()
  await at.back()
  expect(await creditOf(at.far, at.near, 'web', CONCURRENCY, holder.held)).toBe(CONCURRENCY)
  await streaming?.complete(OK)
  expect(await outcomeOf(sent)).toBe('200')
  await holder.stop()
})

failOnLeaks()

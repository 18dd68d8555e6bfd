/** Promise 8 on servers that fail over by Sentinel: a primary that is killed or frozen takes nothing with it that `replicated:1` acknowledged. */
import { afterEach, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Replicas, startReplicas } from '../support/replicas.js'
import { until } from '../support/until.js'
import { form, isLong, LONG_SECONDS } from './form.js'
import { testInLongForm } from './long-form.js'
import { expectNothingLost, startWriters, tellOutcome, type Writers } from './writers.js'

/** Less beside other tests: what a busy machine cannot answer waits for ever. */
const PER_SECOND = form(100, 250)
/** Of which a client notices nothing more than a wait. */
const LONGEST_GAP_MS = 5_000
const FROZEN_SECONDS = 5

let replicas: Replicas
let writers: Writers | undefined
afterEach(async () => {
  for (const node of replicas.nodes) node.resume()
  await writers?.destroy()
  await replicas.stop()
})

async function start(): Promise<Writers> {
  replicas = await startReplicas({ appendonly: true })
  writers = await startWriters(replicas, { durability: 'replicated:1', perSecond: PER_SECOND })
  await writers.answered(PER_SECOND)
  return writers
}

test('a primary is killed under load: nothing that was acknowledged is lost, and no process needs a restart', async () => {
  const running = await start()
  const kills = form(1, Math.max(1, Math.round(LONG_SECONDS / 10)))
  for (let i = 0; i < kills; i++) {
    if (i > 0) await replicas.settled()
    const old = await replicas.primary()
    await old.kill()
    expect(await replicas.promoted(old)).not.toBe(old)
    await running.answered(PER_SECOND)
    await old.restart()
  }
  const outcome = await running.finish()
  tellOutcome('primary killed, Sentinel, `replicated:1`', outcome, `${kills} promoted`)
  expectNothingLost(outcome)
  if (isLong) expect(outcome.gapMs).toBeLessThanOrEqual(LONGEST_GAP_MS)
})

testInLongForm('a primary is frozen and wakes up as one of two: what it then accepts is not acknowledged', async () => {
  const running = await start()
  const old = await replicas.primary()
  old.pause()
  const until5s = running.load.sent + FROZEN_SECONDS * PER_SECOND
  const next = await replicas.promoted(old)
  await until(() => running.load.sent >= until5s, 'it was frozen for seconds')
  old.resume()
  // The fault hit: it takes itself for the primary still, as does whoever has not heard of the new one.
  expect(await old.role()).toBe('master')
  expect(await next.role()).toBe('master')
  await running.answered(form(2, 10) * PER_SECOND)
  const outcome = await running.finish()
  tellOutcome('primary frozen for 5 s, Sentinel, `replicated:1`', outcome, 'two primaries at once')
  expectNothingLost(outcome)
})

failOnLeaks()

/** Promise 8: a primary dies that its replicas had not heard for seconds. `replicated:1` had not acknowledged what is lost, `local` had. */
import { afterEach, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Replicas, startReplicas } from '../support/replicas.js'
import { until } from '../support/until.js'
import { form } from './form.js'
import { testInLongForm } from './long-form.js'
import { expectNothingLost, type Outcome, startWriters, tellOutcome, type Writers } from './writers.js'

/** Less beside other tests: what a busy machine cannot answer waits for ever. */
const PER_SECOND = form(100, 250)
const CUT_SECONDS = 4

let replicas: Replicas
let writers: Writers | undefined
afterEach(async () => {
  await writers?.destroy()
  await replicas.stop()
})

async function cutThenKilled(durability: string): Promise<Outcome> {
  replicas = await startReplicas({ appendonly: true, links: true })
  const running = await startWriters(replicas, { durability, perSecond: PER_SECOND })
  writers = running
  await running.answered(PER_SECOND)
  replicas.cutReplication()
  const enough = running.load.sent + CUT_SECONDS * PER_SECOND
  await until(() => running.load.sent >= enough, 'requests come while nothing is replicated')
  const old = await replicas.primary()
  await old.kill()
  await replicas.promoted(old)
  replicas.healReplication()
  await running.answered(PER_SECOND)
  const outcome = await running.finish()
  tellOutcome(`replication cut for 4 s, then primary killed, \`${durability}\``, outcome, '1 promoted')
  return outcome
}

test('at replicated:1 nothing that was acknowledged is lost; what no replica confirms is refused', async () => {
  const outcome = await cutThenKilled('replicated:1')
  expectNothingLost(outcome)
  expect(outcome.statuses['HTTP 503'] ?? 0).toBeGreaterThan(0)
})

testInLongForm(
  'at local what was acknowledged while nothing was replicated is lost, as docs/durability.md says',
  async () => {
    const outcome = await cutThenKilled('local')
    expect(outcome.lost.length).toBeGreaterThan(0)
  },
)

failOnLeaks()

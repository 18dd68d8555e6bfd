/** Promise 4 under load on servers that are there and refuse: one that reads its data, a Cluster that lacks a primary. No client gets a 500. */
import { afterEach, expect } from '@jest/globals'
import { startCluster } from '../support/cluster.js'
import { failOnLeaks } from '../support/leaks.js'
import { startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { nothingIsLeftOn } from './drained.js'
import { form } from './form.js'
import { testInLongForm } from './long-form.js'
import { expectNothingLost, startWriters, tellOutcome, type Writers } from './writers.js'

/** Less beside other tests: what a busy machine cannot answer waits for ever. */
const PER_SECOND = form(50, 250)
/** So many keys the server reads after a restart, each with a pause; it answers clients once in 1,024. */
const KEYS = form(4_096, 16_384)
const LOAD_DELAY_US = '400'

let writers: Writers | undefined
let stopServers: (() => Promise<void>) | undefined
afterEach(async () => {
  await writers?.destroy()
  await stopServers?.()
})

/** Resolves when the server replies with this word. */
const isReplying = (word: string, asked: () => Promise<string>): Promise<void> =>
  until(async () => (await asked().catch((error: Error) => error.message)).startsWith(word), `the reply is ${word}`)

// The short form has `test/connecting/reactions.test.ts`.
testInLongForm('a server that reads its data for seconds: what is asked meanwhile is answered', async () => {
  const args: string[] = []
  const redis = await startRedis({ appendonly: true, appendfsync: 'always', args })
  stopServers = () => redis.stop()
  writers = await startWriters(redis, { durability: 'fsync', perSecond: PER_SECOND })
  await writers.answered(PER_SECOND)
  await redis.cli('EVAL', `for i = 1, ${KEYS} do redis.call("SET", "key:" .. i, "x") end`, '0')
  args.push('--key-load-delay', LOAD_DELAY_US)
  const restarted = redis.restart()
  await isReplying('LOADING', () => redis.cli('GET', 'key:1'))
  await restarted
  await redis.cli('EVAL', `for i = 1, ${KEYS} do redis.call("DEL", "key:" .. i) end`, '0')
  await writers.answered(PER_SECOND)
  const outcome = await writers.finish()
  tellOutcome('Redis reads its data (LOADING)', outcome, `${KEYS} keys read`)
  expectNothingLost(outcome)
})

testInLongForm(
  'a Cluster that lacks a primary and refuses all slots: it serves again when the primary is back',
  async () => {
    const args = ['--cluster-require-full-coverage', 'yes']
    const cluster = await startCluster({ replicas: 0, appendonly: true, appendfsync: 'always', args })
    stopServers = () => cluster.stop()
    writers = await startWriters(
      // Nobody asks a Cluster for what is on one server.
      { url: cluster.url, cli: () => Promise.reject(new Error('a Cluster is no one server')) },
      { durability: 'fsync', perSecond: PER_SECOND, concurrency: 500, nothingIsLeft: () => nothingIsLeftOn(cluster) },
    )
    await writers.answered(PER_SECOND)
    const [gone, other] = await cluster.primaries()
    const [slot] = await cluster.usedSlots(other!)
    expect(slot).toBeDefined()
    await gone?.kill()
    await isReplying('CLUSTERDOWN', () => other!.cli('GET', '{ts:default}:m'))
    const enough = writers.load.sent + 2 * PER_SECOND
    await until(() => writers!.load.sent >= enough, 'requests come meanwhile')
    await gone?.restart()
    await cluster.settled()
    await writers.answered(PER_SECOND)
    const outcome = await writers.finish()
    tellOutcome('a Cluster lacks a primary (CLUSTERDOWN)', outcome, '1 killed and restarted')
    expectNothingLost(outcome)
  },
)

failOnLeaks()

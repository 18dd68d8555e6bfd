/** Promises 4 and 8: Redis is killed and the end of its file is torn off. What is there is whole, and of what is gone its client is told. */
import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { isSpaceError } from '../../src/errors.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { violations } from '../support/invariants.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { form, LEASE_MS } from './form.js'
import { startMixed } from './mixed.js'
import { type System, startSystem } from './system.js'
import { tell, verdictOf } from './verdict.js'

const TEARS = form(2, 20)
/** Some tens of calls of the functions, each of which Redis appends as one. */
const MOST_BYTES = 20_000
const TIMEOUT_MS = 4_000

/** Written two at a time under a transaction. */
const Half = defineEntry<{ n: number; half: number }>('Half')

let redis: Redis
let system: System | undefined
let space: Space | undefined
let writer: Pairs | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterEach(async () => {
  void writer?.stop()
  await space?.close()
  await system?.destroy()
})
afterAll(() => redis.stop())

interface Pairs {
  readonly committed: number[]
  stop(): Promise<void>
}

/** What it appends to now: while it is written anew there are two. */
function appended(): string {
  const folder = join(redis.folder, 'appendonlydir')
  const files = readdirSync(folder).filter((name) => name.endsWith('.incr.aof'))
  return join(folder, files.sort((a, b) => Number(a.split('.')[2]) - Number(b.split('.')[2])).at(-1) as string)
}

/** Tears off that many bytes, and answers how many. */
function tear(bytes: number): number {
  const file = appended()
  const { size } = statSync(file)
  const torn = Math.min(bytes, Math.floor(size / 2))
  truncateSync(file, size - torn)
  return torn
}

/**
 * What docs/durability.md tells operators to do after a start with a torn file: Redis 7.0 leaves the beginning of the call that was torn in
 * it, and would do that half at its next start.
 */
async function rewritten(): Promise<void> {
  await redis.cli('BGREWRITEAOF')
  const over = /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/
  await until(async () => over.test(await redis.cli('INFO', 'persistence')), 'the file is written anew')
}

/** Commits pairs one after the other, as long as it is let. */
function pairs(space: Space): Pairs {
  const committed: number[] = []
  let going = true
  const run = (async () => {
    for (let n = 0; going; n++) {
      try {
        await space.transact(async (tx) => {
          await space.write(Half({ n, half: 1 }), { tx })
          await space.write(Half({ n, half: 2 }), { tx })
        })
        committed.push(n)
      } catch (error) {
        // It was cut off, and says so.
        if (!isSpaceError(error)) throw error
      }
    }
  })()
  return {
    committed,
    stop() {
      going = false
      return run
    },
  }
}

test(
  'nothing is half there, and what was lost is told',
  async () => {
    const running = await startSystem(redis, { processes: 2, gatewayFlags: ['--timeout-ms', String(TIMEOUT_MS)] })
    system = running
    const looking = await openSpace(redis.url)
    space = looking
    const load = startMixed(running, { workMs: 150 })
    const writing = pairs(looking)
    writer = writing
    let torn = 0
    let halves = 0
    let lost = 0
    for (let i = 0; i < TEARS; i++) {
      const enough = load.answered + 50
      await until(() => load.answered >= enough, 'requests are answered')
      await redis.kill()
      const known = new Set(writing.committed)
      torn += tear(1 + Math.floor(Math.random() * MOST_BYTES))
      await redis.restart()
      expect(await violations(redis)).toEqual([])
      await rewritten()
      const answers = load.answered
      await until(() => load.answered > answers + 20, 'requests are answered again')
      // All pairs that are there, the writer's later ones included.
      const found = new Map<number, number>()
      for (const { n } of await looking.takeAll([Half], { max: 100_000, waitMs: 0 })) {
        found.set(n, (found.get(n) ?? 0) + 1)
      }
      expect([...found].filter(([, count]) => count !== 2)).toEqual([])
      halves += found.size * 2
      lost += [...known].filter((n) => !found.has(n)).length
      writing.committed.length = 0
    }
    await writing.stop()
    const answers = await load.stop()
    const verdict = verdictOf(answers, running.runs(), { forgets: true })
    const told = `${TEARS} tears, ${torn} bytes; ${halves} entries found, of ${lost} acknowledged pairs nothing`
    tell('the end of the AOF torn off', verdict, told)
    const failed = answers.filter(({ status }) => status !== 200)
    expect(failed.filter(({ status }) => ![502, 503, 504].includes(status))).toEqual([])
    expect(verdict.longestMs).toBeLessThan(TIMEOUT_MS + form(LEASE_MS, 1_500))
    // The fault hit: something that had been acknowledged is gone.
    expect(lost).toBeGreaterThan(0)
    expect(running.readied).toBe(2)
    await looking.takeAll([Half], { max: 100_000, waitMs: 0 })
    await looking.close()
    await running.drain()
  },
  60_000 + TEARS * 10_000,
)

failOnLeaks()

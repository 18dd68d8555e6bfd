/** A bit of the append-only file is flipped while the server is down: every entry is taken as it was, or set aside. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { form, report } from '../faults/form.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { flip, randomOf, reasons } from './damage.js'

const FLIPS = form(6, 210)
const ENTRIES = 20

const Job = defineEntry<{ n: number; text: string }>('Job')
/** Every fifth has a large body. */
const textOf = (n: number): string => (n % 5 === 0 ? 'large ' : 'small ').repeat(n % 5 === 0 ? 600 : 3) + n

/** Returns the file that a server appends to. */
function fileOf(redis: Redis): string {
  const folder = join(redis.folder, 'appendonlydir')
  const name = readdirSync(folder).find((each) => each.endsWith('.incr.aof'))
  return join(folder, name as string)
}

/** Takes all entries into `right`, and returns how many were not as they were written. */
async function takeAll(space: Space, right: Set<number>): Promise<number> {
  let wrong = 0
  for (;;) {
    const entry = await space.takeIfExists(Job)
    if (!entry) return wrong
    if (entry.text === textOf(entry.n) && entry.n < ENTRIES && !right.has(entry.n)) right.add(entry.n)
    else wrong++
  }
}

test('all entries are taken as they were, or set aside', async () => {
  const random = randomOf(3)
  const figures = { flips: 0, 'not loaded by Redis': 0, right: 0, aside: 0, wrong: 0 }
  const redis = await startRedis({ appendonly: true, appendfsync: 'always' })
  try {
    const writer = await openSpace(redis.url)
    for (let n = 0; n < ENTRIES; n++) await writer.write(Job({ n, text: textOf(n) }))
    await writer.close()
    await redis.kill('SIGKILL')
    const file = fileOf(redis)
    const whole = readFileSync(file)
    // The library comes first; it is compared with its source when a process joins.
    const from = whole.indexOf('{ts:default}')
    for (let i = 0; i < FLIPS; i++) {
      const at = from + Math.floor(random() * (whole.length - from))
      writeFileSync(file, flip(whole, at, Math.floor(random() * 8)))
      figures.flips++
      // Redis finds a broken command by itself, and does not start.
      if (
        !(await redis.restart().then(
          () => true,
          () => false,
        ))
      ) {
        figures['not loaded by Redis']++
        continue
      }
      await using space = await openSpace(redis.url)
      const right = new Set<number>()
      let wrong = 0
      let aside = 0
      // An entry in no index is found by the comparison that begins with the server.
      await until(
        async () => {
          wrong += await takeAll(space, right)
          aside = (await reasons(space)).length
          return right.size + aside >= ENTRIES
        },
        `all are found, with bit ${at} flipped: ${JSON.stringify(whole.toString('latin1', at - 60, at + 30))}`,
      )
      figures.right += right.size
      figures.wrong += wrong
      figures.aside += aside
      await space.close()
      await redis.kill('SIGKILL')
    }
    report('a flipped bit in the append-only file', figures)
    expect(figures.wrong).toBe(0)
    expect(figures.right).toBeGreaterThan(0)
  } finally {
    await redis.stop()
  }
}, 900_000)

failOnLeaks()

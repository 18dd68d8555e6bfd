/** N requests of 50 ms, shared by 1 to 8 worker processes that take one at a time, beside the ideal. */
import { fileURLToPath } from 'node:url'
import { startWorkers } from '../../http.mjs'
import { measure } from '../../run.mjs'

const APP = fileURLToPath(new URL('../../apps/sleeper.mjs', import.meta.url))
const MS = 50
export const GROUP = `requests of ${MS} ms: share of the ideal, by workers`

export async function ideal(bench) {
  const { children, redis, seconds, runs, quick } = bench
  const samples = []
  for (const workers of quick ? [1, 4] : [1, 2, 4, 8]) {
    await redis.empty()
    const flags = ['--processes', String(workers), '--concurrency', '1', '--url', redis.url]
    const pids = await startWorkers(children, 'ideal-worker', ['worker', APP, ...flags], workers)
    const count = Math.round((1000 * seconds * workers) / MS)
    const driver = await children.fork('burst', 'burst', { url: redis.url, ms: MS, count, workers })
    for (let run = 0; run < runs; run++) {
      const found = await measure({ redis, seconds }, { driver, roles: { client: [driver.pid], workers: pids } })
      samples.push({ group: GROUP, contender: String(workers), run, ...found, values: valuesOf(found) })
    }
    await children.end()
  }
  return samples
}

const valuesOf = ({ perSecond, ideal }) => ({ perSecond, ideal: 100 * ideal })

/** A house full of work: real processes of takespace on a real Redis, with something on every page of the dashboard. */
import { createClient } from '../../src/client.js'
import { pauseWork } from '../../src/control/pauses.js'
import { processesIn } from '../../src/control/processes.js'
import { defineEntry } from '../../src/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const APP = `
export default (req, res) => void setTimeout(() => res.end('ok'), Number(new URL(req.url, 'http://x').searchParams.get('ms') ?? 5))
export const tasks = {
  resize: () => ({ big: 2n ** 60n }),
  broken: () => { throw new Error('No such file: <img src=x onerror=alert(1)>') },
  slow: (_input, { progress, signal }) => { progress({ percent: 40 }); return new Promise((resolve) => signal.addEventListener('abort', resolve)) },
}
`

export interface House {
  readonly redis: Redis
  readonly space: Space
  /** Of the dashboards, each with a slash at its end. */
  readonly owner: string
  readonly reader: string
  close(): Promise<void>
}

/** @param write writes a file and returns its path */
export async function openHouse(write: (name: string, text: string) => string): Promise<House> {
  const app = write('app.mjs', APP)
  const redis = await startRedis({ appendonly: true })
  const start = (...command: string[]): Process =>
    startProcess(['takespace', ...command], { env: { TAKESPACE_URL: redis.url } })
  const gateway = start('gateway', '--port', '0', '--scheduler', '--release', 'edge')
  const workers = start('worker', app, '--processes', '4', '--service', 'web,mail', '--release', 'r41')
  const owning = start(
    'dashboard',
    '--dashboard-port',
    '0',
    '--dashboard-rights',
    'owner',
    '--dashboard-environment',
    'test',
  )
  const reading = start('dashboard', '--dashboard-port', '0')
  const url = async (process: Process): Promise<string> => (await process.line(/"url":"([^"]+)"/))[1]!
  const [site, owner, reader] = await Promise.all([url(gateway), url(owning), url(reading)])
  const space = await openSpace(redis.url)
  await workers.line(/(?:worker process is ready[\s\S]*?){4}/)
  await until(async () => (await processesIn(space)).length >= 6, 'all have told of themselves')
  const client = createClient({ space })
  await Promise.all(['resize', 'slow', 'broken', 'broken'].map((task) => client.enqueue(task, { n: 1 })))
  await client.schedule('nightly', { cron: '0 3 * * *', timeZone: 'Europe/Berlin' }, 'resize', null)
  await pauseWork(space, 'service', 'mail', { by: 'ann' })
  const Job = defineEntry<Record<string, unknown>>('Job')
  const odd = JSON.parse('{ "__proto__": "an own name", "html": "<b onclick=alert(1)>bold</b>" }')
  const values = {
    big: 2n ** 70n,
    at: new Date(0),
    raw: new Uint8Array(20),
    deep: { list: [1, 2] },
    text: 'x'.repeat(300),
  }
  await space.writeAll([Job({ ...values, id: 1 }), Job(Object.fromEntries(Object.entries(odd)))])
  for (let n = 0; n < 20; n++) void fetch(`${site}/page/${n}?ms=60000&token=secret`).catch(() => {})
  return {
    redis,
    space,
    owner,
    reader,
    async close() {
      await space.close()
      for (const each of [owning, reading, workers, gateway]) each.kill('SIGKILL')
      await Promise.all([owning, reading, workers, gateway].map(({ exited }) => exited))
      await redis.stop()
    },
  }
}

/** An app that gets into every kind of trouble, and the system that runs it: a gateway in this process, a supervisor with its admin port. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import { readExposition } from '../support/exposition.js'
import { type Process, startProcess } from '../support/process.js'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'

const APP = `
const kept = []
function spinForEver() {
  while (true) {}
}
export default function handle(req, res) {
  const { pathname } = new URL(req.url, 'http://app')
  if (pathname === '/spin') spinForEver()
  if (pathname === '/busy') for (const end = Date.now() + 4_000; Date.now() < end; );
  if (pathname === '/told') console.log('told ' + req.url)
  if (pathname === '/exit') process.exit()
  if (pathname === '/never') return void kept.push(res)
  if (pathname === '/match') /^(a+)+$/.test('a'.repeat(40) + 'b')
  if (pathname === '/leak') kept.push(Buffer.alloc(20 << 20, 1))
  setTimeout(() => res.end(String(process.pid)), 10)
}
`

export interface Troubled {
  readonly url: string
  /** The app's file. */
  readonly app: string
  readonly worker: Process
  series(): Promise<Map<string, number>>
  /** How many processes were replaced for that reason. */
  replaced(reason: string): Promise<number>
  readyz(): Promise<{ status: number; processes: string }>
  /** Ends it as its operator would. */
  end(): Promise<void>
  /** Ends it at once: for a test that failed half-way. */
  /** Resolves when they are gone. */
  destroy(): Promise<void>
}

export async function startTroubled(
  redis: Redis,
  name: string,
  flags: readonly string[],
  timeoutMs?: number,
  env: Record<string, string> = {},
): Promise<Troubled> {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-trouble-'))
  const app = join(folder, 'app.mjs')
  writeFileSync(app, APP)
  const worker = startProcess(['takespace', 'worker', app, '--admin-port', '0', '--name', name, ...flags], {
    env: { TAKESPACE_URL: redis.url, ...env },
  })
  const space = await openSpace(redis.url, { name })
  const gateway = createGateway({ space, port: 0, limits: timeoutMs === undefined ? {} : { timeoutMs } })
  await gateway.start()
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  const [, admin] = await worker.line(/"adminUrl":"([^"]+)"/)
  const get = (path: string): Promise<Response> => fetch(`${admin}${path}`, { headers: { connection: 'close' } })
  await until(async () => (await get('/startupz')).status === 200, 'the workers have started')
  const series = async () => readExposition(await (await get('/metrics')).text())
  return {
    url: gateway.url,
    app,
    worker,
    series,
    replaced: async (reason) => (await series()).get(`takespace_worker_replacements_total{reason="${reason}"}`) ?? -1,
    async readyz() {
      const response = await get('/readyz')
      const { checks } = (await response.json()) as { checks: { processes: string } }
      return { status: response.status, processes: checks.processes }
    },
    async end() {
      worker.kill('SIGTERM')
      expect(await worker.exited).toEqual({ code: 0, signal: null })
      await gateway.stop()
      await space.close()
      remove()
    },
    async destroy() {
      try {
        process.kill(-worker.pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
      remove()
      await worker.exited
      await space.close()
    },
  }
}

/** Promise 4, with an Idempotency-Key: a gateway is killed between request and answer, and its client asks another one. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { form, report } from './form.js'
import { type System, startSystem } from './system.js'

const KILLS = form(4, 200)
/** Several requests under way each time it dies, at different steps of their lives. */
const AT_ONCE = 4

let redis: Redis
let system: System | undefined
let doomed: Process | undefined
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterEach(() => {
  doomed?.kill('SIGKILL')
  system?.destroy()
})
afterAll(() => redis.stop())

interface Answered {
  readonly status: number
  readonly text: string
  readonly id: string | null
  readonly conflicts: number
}

/** As a client does: again with the same key, while it gets 409 or no answer at all. */
async function insist(urls: readonly string[], path: string, key: string): Promise<Answered> {
  for (let conflicts = 0, attempt = 0; ; attempt++) {
    const url = urls[Math.min(attempt, urls.length - 1)]!
    const headers = { 'Idempotency-Key': key }
    const response = await fetch(url + path, { method: 'POST', body: key, headers }).catch(() => undefined)
    if (!response) continue
    const text = await response.text().catch(() => undefined)
    if (text === undefined) continue
    if (response.status === 409) {
      conflicts++
      await new Promise((resolve) => setTimeout(resolve, 100))
      continue
    }
    return { status: response.status, text, id: response.headers.get('x-request-id'), conflicts }
  }
}

test(
  'each request is executed once, and its answer is the same wherever it is asked for',
  async () => {
    const running = await startSystem(redis, { processes: 2, concurrency: 16, gateways: 2 })
    system = running
    let cut = 0
    let conflicts = 0
    const asked: string[] = []
    for (let i = 0; i < KILLS; i++) {
      const gateway = startProcess(['takespace', 'gateway', '--port', '0'], { env: { TAKESPACE_URL: redis.url } })
      doomed = gateway
      const [, url] = await gateway.line(/"url":"([^"]+)"/, 20_000)
      const paths = Array.from({ length: AT_ONCE }, (_, n) => `/keyed-${i}-${n}?ms=${20 + 60 * n}`)
      const first = paths.map((path) => insist([url!, running.urls[0]!], path, path))
      // Killed between the request and the answer: at some moment while the handlers run.
      await new Promise((resolve) => setTimeout(resolve, 10 + ((i * 37) % 150)))
      const before = new Set(
        running
          .runs()
          .filter(({ ended }) => ended !== undefined)
          .map(({ url: path }) => path),
      )
      gateway.kill('SIGKILL')
      await gateway.exited
      cut += paths.filter((path) => !before.has(path)).length
      const answers = await Promise.all(first)
      // And at a third one, which has seen nothing of it.
      const again = await Promise.all(paths.map((path) => insist([running.urls[1]!], path, path)))
      for (const [n, answer] of answers.entries()) {
        expect(answer.status).toBe(200)
        expect({ ...again[n], conflicts: 0 }).toEqual({ ...answer, conflicts: 0 })
        conflicts += answer.conflicts
      }
      asked.push(...paths)
    }
    const executions = new Map<string, number>()
    for (const { url: path } of running.runs()) executions.set(path, (executions.get(path) ?? 0) + 1)
    const more = asked.filter((path) => executions.get(path) !== 1)
    report(`a gateway killed ${KILLS} times between request and answer`, {
      requests: asked.length,
      'under way when it died': cut,
      'executed once': asked.length - more.length,
      '409 on the way': conflicts,
    })
    expect(more).toEqual([])
    // The fault hit.
    expect(cut).toBeGreaterThan(KILLS)
  },
  form(120_000, 1_200_000),
)

failOnLeaks()

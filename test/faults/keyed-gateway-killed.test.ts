/** Promise 4, with an Idempotency-Key: a gateway is killed between request and answer, and its client asks another one. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { form, report, show } from './form.js'
import { type System, startSystem } from './system.js'

const KILLS = form(2, 200)
/** So many at a time: most of what a kill takes is the start of the next gateway. */
const AT_ONCE = form(3, 10)
/** Several requests under way each time one dies, at different steps of their lives. */
const REQUESTS = 3

let redis: Redis
let system: System | undefined
const doomed = new Set<Process>()
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterEach(async () => {
  for (const process of doomed) process.kill('SIGKILL')
  await system?.destroy()
})
afterAll(() => redis.stop())

interface Answered {
  readonly status: number
  readonly text: string
  readonly id: string | null
  readonly conflicts: number
  /** How often it was asked, but for those. */
  readonly attempts: number
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
    return {
      status: response.status,
      text,
      id: response.headers.get('x-request-id'),
      conflicts,
      attempts: attempt - conflicts + 1,
    }
  }
}

/** Starts a gateway, asks it, kills it before it has answered, and asks two others. */
async function killOne(running: System, i: number, asked: string[], counts: { cut: number; conflicts: number }) {
  const gateway = startProcess(['takespace', 'gateway', '--port', '0'], { env: { TAKESPACE_URL: redis.url } })
  doomed.add(gateway)
  const [, url] = await gateway.line(/"url":"([^"]+)"/)
  const paths = Array.from({ length: REQUESTS }, (_, n) => `/keyed-${i}-${n}?ms=${100 + 100 * n}`)
  const first = paths.map((path) => insist([url!, running.urls[0]!], path, path))
  // At some moment from before the handlers run to when the last of them has ended.
  await new Promise((resolve) => setTimeout(resolve, (i * 37) % 300))
  gateway.kill('SIGKILL')
  await gateway.exited
  doomed.delete(gateway)
  const answers = await Promise.all(first)
  counts.cut += answers.filter(({ attempts }) => attempts > 1).length
  // And at a third one, which has seen nothing of it.
  const again = await Promise.all(paths.map((path) => insist([running.urls[1]!], path, path)))
  for (const [n, { status, text, id, conflicts }] of answers.entries()) {
    expect(status).toBe(200)
    expect(again[n]).toMatchObject({ status, text, id })
    counts.conflicts += conflicts
  }
  asked.push(...paths)
}

test(
  'each request is executed once, and its answer is the same wherever it is asked for',
  async () => {
    const running = await startSystem(redis, { processes: 2, concurrency: 16, gateways: 2 })
    system = running
    const counts = { cut: 0, conflicts: 0 }
    const asked: string[] = []
    for (let i = 0; i < KILLS; i += AT_ONCE) {
      const numbers = Array.from({ length: Math.min(AT_ONCE, KILLS - i) }, (_, n) => i + n)
      await Promise.all(numbers.map((n) => killOne(running, n, asked, counts)))
      show('killed so far', { kills: i + numbers.length })
    }
    const { cut, conflicts } = counts
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

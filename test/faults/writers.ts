/** A system under a load whose POSTs write one entry each, and the account of it: what was acknowledged is looked for in the space. */
import { fileURLToPath } from 'node:url'
import { expect } from '@jest/globals'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import type { Run } from '../support/app.js'
import type { Answer } from '../support/load.js'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type Mixed, startMixed } from './mixed.js'
import { type System, type SystemOptions, startSystem } from './system.js'
import { tell, type Verdict } from './verdict.js'

export interface WritersOptions extends Pick<SystemOptions, 'concurrency' | 'nothingIsLeft'> {
  /** What all processes ask for. */
  readonly durability: string
  /** GETs and POSTs together. Default 250. */
  readonly perSecond?: number
  /** Of worker processes. Default 2. */
  readonly processes?: number
}

export interface Writers {
  readonly system: System
  readonly load: Mixed
  /** Resolves when so many more have been answered with 200. */
  answered(more: number): Promise<void>
  /** Resolves when no more than those of half a second are unanswered. */
  caughtUp(): Promise<void>
  /** Ends the load, takes all entries out of the space, ends the system, and compares. */
  finish(): Promise<Outcome>
  destroy(): Promise<void>
}

export interface Outcome extends Verdict {
  readonly answers: readonly Answer[]
  /** POSTs that were acknowledged and whose entries are not there. */
  readonly lost: readonly string[]
  /** Executions that began after their client had been answered with 200. */
  readonly ranAfterwards: readonly Run[]
  /** POSTs that were executed more than once. */
  readonly postsTwice: readonly string[]
  /** The longest time without an answer of 200. */
  readonly gapMs: number
}

const APP = fileURLToPath(new URL('children/writer-app.js', import.meta.url))
const WORK_MS = 20
const AT_ONCE = 500
const Order = defineEntry<{ url: string }>('Order')

/** @param servers where the space is: one server, or several that have one address */
export async function startWriters(
  servers: Pick<Redis, 'url' | 'cli'>,
  { durability, perSecond = 250, processes = 2, ...options }: WritersOptions,
): Promise<Writers> {
  const env = { TAKESPACE_DURABILITY: durability }
  const system = await startSystem(servers, { ...options, processes, appFile: APP, env })
  const load = startMixed(system, { perSecond, workMs: WORK_MS })
  const good = (): number =>
    [...load.gets.answers, ...load.posts.answers].reduce((sum, { status }) => sum + (status === 200 ? 1 : 0), 0)
  return {
    system,
    load,
    async answered(more) {
      const enough = good() + more
      await until(() => good() >= enough, `${more} more requests are answered`)
    },
    async caughtUp() {
      const open = (): number => load.sent - load.gets.answers.length - load.posts.answers.length
      await until(() => open() <= perSecond / 2, 'what a fault held up is answered')
    },
    async finish() {
      const answers = await load.stop()
      const written = await takeOrders(servers.url)
      const runs = [...system.runs()]
      // Nobody was replaced, and no gateway has ended.
      expect(system.workers()).toHaveLength(processes)
      expect(system.readied).toBe(processes)
      await system.drain()
      return outcomeOf(answers, runs, written)
    },
    destroy: () => system.destroy(),
  }
}

async function takeOrders(url: string): Promise<readonly string[]> {
  await using space = await openSpace(url)
  const taken: string[] = []
  for (;;) {
    const some = await space.takeAll([Order], { max: AT_ONCE, waitMs: 0 })
    if (some.length === 0) return taken
    taken.push(...some.map(({ url }) => url))
  }
}

function outcomeOf(answers: readonly Answer[], runs: readonly Run[], written: readonly string[]): Outcome {
  // One answer each, and no entry twice or of nobody's.
  const sent = new Set(answers.map(({ url }) => url))
  expect(sent.size).toBe(answers.length)
  expect(new Set(written).size).toBe(written.length)
  expect(written.filter((url) => !sent.has(url))).toEqual([])
  expect(answers.filter(({ status }) => ![200, 502, 503, 504].includes(status))).toEqual([])

  const good = new Map(answers.filter(({ status }) => status === 200).map((answer) => [answer.url, answer]))
  const times = new Map<string, number>()
  for (const { url } of runs) times.set(url, (times.get(url) ?? 0) + 1)
  expect([...good.keys()].filter((url) => !times.has(url))).toEqual([])
  const there = new Set(written)
  const statuses: Record<string, number> = {}
  for (const { status } of answers) statuses[`HTTP ${status}`] = (statuses[`HTTP ${status}`] ?? 0) + 1
  const came = [...good.values()].map(({ at }) => at).sort((a, b) => a - b)
  return {
    answers,
    requests: answers.length,
    failed: answers.length - good.size,
    twice: [...times.values()].filter((n) => n > 1).length,
    longestMs: Math.max(0, ...answers.map(({ ms }) => ms)),
    statuses,
    lost: [...good.keys()].filter((url) => isPost(url) && !there.has(url)),
    ranAfterwards: runs.filter(({ url, begun }) => begun > (good.get(url)?.at ?? Number.POSITIVE_INFINITY)),
    postsTwice: [...times].filter(([url, n]) => n > 1 && isPost(url)).map(([url]) => url),
    gapMs: came.reduce((most, at, i) => Math.max(most, at - (came[i - 1] ?? at)), 0),
  }
}

const isPost = (url: string): boolean => url.startsWith('/post')

/** What `replicated:n` and a fault that it survives come to. */
export function expectNothingLost({ lost, ranAfterwards, postsTwice }: Outcome): void {
  expect(lost).toEqual([])
  expect(ranAfterwards).toEqual([])
  expect(postsTwice).toEqual([])
}

export function tellOutcome(fault: string, outcome: Outcome, hits: string): void {
  tell(fault, outcome, `${hits}; ${outcome.lost.length} acknowledged lost, longest gap ${outcome.gapMs} ms`)
}

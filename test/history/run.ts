/** One run: processes work on a real Redis while faults strike, then everything settles, is drained and checked. */
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { violations } from '../support/invariants.js'
import { startLink } from '../support/link.js'
import { type Place, startOn } from '../support/places.js'
import { startProcess } from '../support/process.js'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'
import { check, type Violation } from './checks/index.js'
import { randomOf } from './children/random.js'
import { drain, Tally } from './drain.js'
import { type Member, strike, type Target } from './faults.js'
import { type History, readHistory } from './history.js'
import { HITS, type Hits, missed } from './hits.js'

export const SPACE = 'history'
const DIST = fileURLToPath(new URL('../../dist', import.meta.url))
const PROCESS = fileURLToPath(new URL('children/process.js', import.meta.url))
const SETTLED_WITHIN_MS = 15_000
const LONGER_MS = 30_000

export interface Settings {
  readonly seed: number
  readonly seconds: number
  /** Names of faults.ts, at the same time. */
  readonly faults: readonly string[]
  /** One process each. Default: two of each role. */
  readonly roles?: readonly string[]
  /** How long a handler works at most, usually, in ms. */
  readonly workMs?: number
  /** Behind Sentinels a restart is a failover. Default: a single server. */
  readonly on?: Place | undefined
  /** Another build than ours: one with a defect. */
  readonly dist?: string
}

export interface Run {
  readonly history: History
  readonly hits: Hits
  readonly violations: readonly Violation[]
  readonly executions: number
  readonly checkedInMs: number
}

const ROLES = ['trader', 'gateway', 'worker', 'trader', 'gateway', 'worker']
const GROUPS = 6

export const microseconds = (): number => Number(process.hrtime.bigint() / 1000n)

class Running {
  readonly folder = mkdtempSync(join(tmpdir(), 'takespace-history-'))
  readonly members: Member[] = []
  readonly random: () => number
  #started = 0

  constructor(
    readonly settings: Settings,
    readonly redis: Redis,
    readonly farUrl: string,
  ) {
    this.random = randomOf(settings.seed)
  }

  async start(role: string): Promise<void> {
    const number = this.#started++
    const name = `${role[0]}${number}`
    const far = this.settings.faults.includes('drop') && number % 2 === 1
    const { seed, dist = DIST, workMs } = this.settings
    const own = { name, roles: [role], dist, workMs, url: far ? this.farUrl : this.redis.url, groups: GROUPS }
    const process = startProcess([
      PROCESS,
      JSON.stringify({ ...own, file: this.file(name), seed: seed * 1000 + number }),
    ])
    await process.line(/^ready$/m)
    const session = readHistory([this.file(name)]).events.find(({ what }) => what === 'hello')!.session!
    this.members.push({ name, role, process, session, far })
  }

  file = (name: string): string => join(this.folder, `${name}.jsonl`)

  note = (what: string, p: string): void => {
    appendFileSync(this.file('controller'), `${JSON.stringify({ is: 'event', p, what, at: microseconds() })}\n`)
  }

  async replace(member: Member): Promise<void> {
    this.members.splice(this.members.indexOf(member), 1)
    await this.start(member.role)
  }

  /** Everybody finishes what is under way, the workers last, and leaves. */
  async settle(): Promise<string[]> {
    const wrong: string[] = []
    for (const { process } of this.members) process.kill('SIGUSR2')
    for (const { name, process } of this.members) {
      await process.line(/quiet/, SETTLED_WITHIN_MS).catch((error) => wrong.push(`${name}: ${String(error)}`))
    }
    for (const { process } of this.members) process.kill('SIGTERM')
    for (const { name, process } of this.members) {
      await until(async () => (await Promise.race([process.exited, pause(0)])) !== undefined, `${name} has left`).catch(
        (error) => wrong.push(String(error)),
      )
      process.kill('SIGKILL')
      const { code } = await process.exited
      if (code !== 0) wrong.push(`${name} ended with ${code}: ${process.output()}`)
    }
    return wrong
  }

  history(): History {
    return readHistory(readdirSync(this.folder).map((file) => join(this.folder, file)))
  }
}

export async function run(settings: Settings): Promise<Run> {
  const appendfsync = settings.faults.includes('restart') ? 'always' : 'everysec'
  const redis = await startOn(settings.on, SPACE, { appendonly: true, appendfsync })
  const link = await startLink(redis.port)
  const running = new Running(settings, redis, link.url)
  let watcher: Space | undefined
  try {
    watcher = await openSpace(redis.url, { name: SPACE })
    await watcher.write(Tally({ count: 0 }), { leaseMs: Number.POSITIVE_INFINITY })
    await Promise.all((settings.roles ?? ROLES).map((role) => running.start(role)))
    const over = new AbortController()
    const { members, random, note } = running
    const target: Target = {
      redis,
      link,
      random,
      members,
      note,
      over: over.signal,
      replace: (member) => running.replace(member),
      // Not while Redis is away.
      disown: (session) => watcher!.declareDead(session).catch(() => {}),
    }
    const striking = settings.faults.map((fault) => strike(fault, target))
    const wrong: string[] = []
    const end = performance.now() + settings.seconds * 1000
    // A fault that has not hit yet goes on for a while.
    const isOver = (now: number): boolean =>
      now > end && (now > end + LONGER_MS || missed(hitsOf(settings, running.history())).length === 0)
    while (!isOver(performance.now())) {
      await pause(Math.min(500, Math.max(end - performance.now(), 100)))
      // While Redis is away nothing can be scanned.
      wrong.push(...(await violations(redis, SPACE).catch(() => [])))
    }
    over.abort()
    await Promise.all(striking)
    const unsettled = await running.settle()
    await watcher.close()
    watcher = undefined
    wrong.push(...(await violations(redis, SPACE)))
    const left = await drain(redis, running.file('drain'))
    return judged(running.history(), settings, { unsettled, wrong, left })
  } finally {
    for (const { process } of running.members) process.kill('SIGKILL')
    await watcher?.close()
    await link.close()
    await redis.stop()
    if (!process.env.KEEP_HISTORY) rmSync(running.folder, { recursive: true, force: true })
    else console.error(running.folder)
  }
}

const hitsOf = ({ faults }: Settings, history: History): Hits =>
  Object.assign({}, ...faults.map((fault) => HITS[fault]!(history)))

function judged(
  history: History,
  settings: Settings,
  { unsettled, wrong, left }: Readonly<Record<'unsettled' | 'wrong' | 'left', readonly string[]>>,
): Run {
  const began = performance.now()
  const found = check(history)
  const checkedInMs = Math.round(performance.now() - began)
  const hits = hitsOf(settings, history)
  const named = (check: string, list: readonly string[]): Violation[] =>
    [...new Set(list)].map((what) => ({ check, what }))
  return {
    history,
    hits,
    violations: [
      ...found,
      ...named('settled', unsettled),
      ...named('scan of Redis', wrong),
      ...named('nothing left', left),
      ...named('the fault hit', missed(hits)),
    ],
    executions: history.events.filter(({ what }) => what === 'execute').length,
    checkedInMs,
  }
}

/** One soak: a whole system and a program on one Redis under a modest load, while mixed faults strike; then everything is as it was. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { DEAD_LETTER } from '../../src/engine.js'
import { openSpace } from '../../src/open.js'
import { type System, startSystem } from '../faults/system.js'
import { randomOf } from '../history/children/random.js'
import { dropUnwritten, violations } from '../support/invariants.js'
import { type Answer, type Load, startLoad } from '../support/load.js'
import { type Place, startOn } from '../support/places.js'
import { type Process, startProcess } from '../support/process.js'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type Account, accountOf } from './account.js'
import { FAULT_NAMES, strikeAll } from './faults.js'
import { type Idle, type Sample, Samples, watched } from './samples.js'

const PROGRAM = fileURLToPath(new URL('children/program.js', import.meta.url))
const GETS_PER_SECOND = 80
const POSTS_PER_SECOND = 20
const PROCESSES = 4
/** Of each process. With less, what Sentinels and replicas add to the time of a request leaves no room to catch up after a fault. */
const CONCURRENCY = 16
/** Of these, so many are never killed, so that something can be said of their memory. */
const SPARED = 2
/** Before the faults, and after them: so that whatever serving opens is open when descriptors are counted. */
const CALM_SECONDS = 3
/** So much longer, if a fault has not struck yet. */
const LONGER_MS = 30_000
/** The sweep looks at what is gone 8 s after it was written, and a gateway keeps what it waited for no longer. */
const SETTLED_WITHIN_MS = 60_000
/** Below this it is to show that each fault strikes, so they strike faster. */
const SHORT_SECONDS = 60
const MOST_SAMPLES = 180

export interface Settings {
  readonly seed: number
  /** Of faults. */
  readonly seconds: number
  /** What the server does with its AOF: `always` loses nothing when it is killed, `everysec` what it had put off (docs/durability.md). */
  readonly fsync: 'always' | 'everysec'
  /** Behind Sentinels a kill of Redis is a failover. Default: a single server. */
  readonly on?: Place | undefined
  /** Faults, to look into some alone. Default: all. */
  readonly only?: readonly string[] | undefined
  /** Where to keep what the processes wrote, and when faults struck, if a bound was passed. Default: nowhere. */
  readonly records?: string | undefined
  /** What is told while it goes on. */
  readonly say: (line: string) => void
}

export interface Soak {
  /** By process: what it took while the faults struck. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>
  /** Before the faults, and when all has settled after them. */
  readonly before: Idle
  readonly after: Idle
  readonly struck: ReadonlyMap<string, number>
  readonly account: Account
  /** Large bodies whose entry was never written. */
  readonly strays: number
  /** Kills of Redis that found acknowledged work not yet in its file. */
  readonly unwrittenAtKill: number
  /** What the program says of itself. */
  readonly program: Readonly<Record<string, unknown>>
  /** One line each; nothing of this may be. */
  readonly wrong: readonly string[]
}

/** The two kinds of requests; one in ten has large bodies, which travel beside the functions. */
class Loads {
  readonly #gets: Load
  readonly #posts: Load

  constructor(urls: readonly string[], name: string) {
    const large = (n: number): boolean => n % 10 === 0
    const path = (n: number): string => `/${name}/${n}?ms=20${large(n) ? '&bytes=5000' : ''}`
    this.#gets = startLoad(urls, { perSecond: GETS_PER_SECOND, method: 'GET', path })
    this.#posts = startLoad(urls, {
      perSecond: POSTS_PER_SECOND,
      method: 'POST',
      path: (n) => path(n).replace('?', '/post?'),
      body: (n) => 'x'.repeat(large(n) ? 5_000 : 50),
    })
  }

  async stop(): Promise<Record<'GET' | 'POST', readonly Answer[]>> {
    const [GET, POST] = await Promise.all([this.#gets.stop(), this.#posts.stop()])
    return { GET, POST }
  }
}

class Running {
  readonly wrong: string[] = []
  readonly struck = new Map<string, number>()
  readonly #killed: number[] = []
  readonly delays = { unwrittenAtKill: 0 }
  readonly record: string[] = []
  /** Large bodies whose entry was never written. */
  strays = 0

  constructor(
    readonly settings: Settings,
    readonly redis: Redis,
    readonly system: System,
    readonly program: Process,
    readonly samples: Samples,
  ) {}

  /**
   * For so long without a fault; then nobody does anything, and all that was opened or kept for a while is gone. But a list of the sweep
   * names a dead letter for days, also one that was taken.
   */
  async calm(name: string, settled: (now: Idle) => boolean, letters = 0): Promise<Idle> {
    const loads = new Loads(this.system.urls, name)
    await pause(CALM_SECONDS * 1_000)
    const { GET, POST } = await loads.stop()
    for (const { url, status, text } of [...GET, ...POST]) {
      if (status !== 200) this.wrong.push(`${url}, without a fault, was answered ${status}: ${text}`)
    }
    const accounts = this.#accounts().length
    this.program.kill('SIGHUP')
    await until(() => this.#accounts().length > accounts, 'the program has taken what is left')
    await this.#dropStrays()
    const end = performance.now() + SETTLED_WITHIN_MS
    for (;;) {
      const [now, wrong] = [await this.samples.idle(), await violations(this.redis)]
      if (now.unswept <= letters && settled(now) && wrong.length === 0) return now
      if (performance.now() > end) {
        this.wrong.push(...wrong, `after ${SETTLED_WITHIN_MS} ms ${name} the faults it has not settled`)
        return now
      }
      // Each look collects garbage everywhere.
      await pause(1_000)
    }
  }

  /**
   * A large body goes before its entry, or before the completion of its request. If Redis or the process dies between the two, the body stays until
   * its time to live is over, two hours later; that of a written one is longer.
   */
  async #dropStrays(): Promise<void> {
    this.strays += await dropUnwritten(this.redis, { outcomes: true })
  }

  #accounts = (): RegExpMatchArray[] => [...this.program.output().matchAll(/^account (.*)$/gm)]

  get #faults(): readonly string[] {
    return this.settings.only ?? FAULT_NAMES
  }

  /** Keeps what each of them wrote, and when each fault struck. */
  keep(folder: string): void {
    const { gateways, supervisor } = this.system
    const written = new Map([
      ...gateways.map(({ output }, i) => [`gateway-${i + 1}`, output()] as const),
      ['supervisor', supervisor.output()],
      ['faults', this.record.join('\n')],
    ])
    mkdirSync(folder, { recursive: true })
    for (const [name, text] of written) writeFileSync(join(folder, `${name}.log`), text)
  }

  /** Of the program, since it last went on. */
  told(): Record<string, unknown> {
    const told = JSON.parse(this.#accounts().at(-1)![1]!)
    for (const what of told.strange) this.wrong.push(`the program: ${what}`)
    // A take whose answer was cut off may have taken one of them.
    if (told.lost > told.unknownTakes) this.wrong.push(`the program has lost ${told.lost} entries that it had written`)
    return told
  }

  /** Faults strike while there is load. */
  async trouble(): Promise<{ account: Account; series: Map<string, readonly Sample[]> }> {
    const since = Date.now()
    const { seconds, seed, say, only } = this.settings
    this.program.kill('SIGHUP')
    await this.program.line(/goes on/)
    const lasting = [...this.samples.members.values()]
    const over = new AbortController()
    const loads = new Loads(this.system.urls, 'soak')
    const { redis, system, struck, delays, record } = this
    const mostPauseMs = seconds < SHORT_SECONDS ? 800 : 2_500
    const target = {
      redis,
      system,
      struck,
      delays,
      spared: SPARED,
      lasting,
      seed,
      mostPauseMs,
      killed: this.#killed,
      only,
      record,
    }
    const striking = strikeAll(target, over.signal)
    const end = performance.now() + seconds * 1_000
    const everyMs = Math.max(1_000, (seconds * 1_000) / MOST_SAMPLES)
    const allStruck = (): boolean => this.#faults.every((fault) => struck.has(fault))
    const isOver = (now: number): boolean => now > end && (allStruck() || now > end + LONGER_MS)
    for (let n = 1; !isOver(performance.now()); n++) {
      await Promise.race([pause(everyMs), striking])
      await this.samples.look()
      if (n % 15 !== 0) continue
      const heaps = this.samples.names.map((name) => [
        name,
        Math.round((this.samples.of(name).at(-1)?.heap ?? 0) / 1e5) / 10,
      ])
      say(
        `${Math.round((end - performance.now()) / 1_000)} s to go; ${listed(struck)}; heap MB: ${listed(Object.fromEntries(heaps))}`,
      )
    }
    over.abort()
    await striking
    const account = accountOf(system, await loads.stop(), this.#killed)
    const { samples } = this
    return {
      account,
      series: new Map(samples.names.map((name) => [name, samples.of(name).filter(({ at }) => at >= since)])),
    }
  }

  /** Those that nobody was to kill have lived through it, and nobody has complained of what is ours. */
  judge(): void {
    for (const [name, pid] of this.samples.members) {
      try {
        process.kill(pid, 0)
      } catch {
        this.wrong.push(`${name} has ended`)
      }
    }
    for (const { output } of [...this.system.gateways, this.system.supervisor, this.program]) {
      for (const [line] of output().matchAll(/^.*(?:"level":[56]0|INTERNAL|a reason that is ours|Uncaught).*$/gm)) {
        this.wrong.push(line.slice(0, 500))
      }
    }
    for (const fault of this.#faults)
      if (!this.struck.get(fault)) this.wrong.push(`no ${fault}: the fault did not strike`)
  }
}

/** As their operator does who has looked into them. */
async function takeDeadLetters(redis: Redis): Promise<number> {
  const space = await openSpace(redis.url)
  const pattern = { kind: DEAD_LETTER, root: DEAD_LETTER, indexed: [], verified: [] }
  let taken = 0
  while (await space.engine.find({ template: pattern, take: true, waitMs: 0 })) taken++
  await space.close()
  return taken
}

export const listed = (figures: ReadonlyMap<string, number> | Readonly<Record<string, number>>): string =>
  [...(figures instanceof Map ? figures : Object.entries(figures))].map(([name, n]) => `${name} ${n}`).join(', ')

/** What one of them has more often than the other. */
export function keysThatDiffer(before: Idle, after: Idle): string[] {
  const times = ({ keys }: Idle, key: string): number => keys.filter((each) => each === key).length
  return [...new Set([...before.keys, ...after.keys])]
    .filter((key) => times(before, key) !== times(after, key))
    .map((key) => `${key}: ${times(before, key)} before, ${times(after, key)} after`)
}

const isBack =
  (before: Idle) =>
  (now: Idle): boolean =>
    keysThatDiffer(before, now).length === 0 &&
    [...before.samples].every(([name, { descriptors }]) => now.samples.get(name)!.descriptors <= descriptors)

export async function soak(settings: Settings): Promise<Soak> {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-soak-'))
  const redis = await startOn(settings.on, 'default', { appendonly: true, appendfsync: settings.fsync })
  const env = watched(folder)
  let system: System | undefined
  let program: Process | undefined
  try {
    const random = randomOf(settings.seed)
    system = await startSystem(redis, { processes: PROCESSES, concurrency: CONCURRENCY, gateways: 2, env, random })
    program = startProcess([PROGRAM, redis.url, String(settings.seed)], { env })
    await program.line(/ready/)
    const members = new Map([
      ...system.gateways.map(({ pid }, i) => [`gateway ${i + 1}`, pid] as const),
      ['supervisor', system.supervisor.pid],
      ...system
        .workers()
        .slice(0, SPARED)
        .map((pid, i) => [`worker ${i + 1}`, pid] as const),
      ['program', program.pid],
    ])
    const samples = new Samples(folder, redis, members)
    const running = new Running(settings, redis, system, program, samples)
    // When gateways have said of the last outcomes that they arrived.
    const before = await running.calm(
      'before',
      ({ keys }) => !keys.some((key) => key.endsWith('}:outcomes:<presence>')),
    )
    const { account, series } = await running.trouble()
    running.wrong.push(...account.wrong)
    const letters = await takeDeadLetters(redis)
    if (letters !== account.exhausted) {
      running.wrong.push(`${account.exhausted} requests of which every worker died, ${letters} dead letters`)
    }
    const after = await running.calm('after', isBack(before), letters)
    const told = running.told()
    running.judge()
    const unknown = (told.errors as Record<string, number>).OUTCOME_UNKNOWN ?? 0
    const most = account.unwritten + unknown + (running.struck.get('worker killed') ?? 0)
    if (running.strays > most) running.wrong.push(`${running.strays} large bodies of no entry`)
    program.kill('SIGTERM')
    const { code } = await program.exited
    if (code !== 0) running.wrong.push(`the program ended with ${code}`)
    if (settings.records && running.wrong.length > 0) running.keep(settings.records)
    // What was measured is worth telling all the same.
    await system.drain().catch((error) => running.wrong.push(String(error)))
    return {
      samples: series,
      before,
      after,
      struck: running.struck,
      account,
      program: told,
      strays: running.strays,
      unwrittenAtKill: running.delays.unwrittenAtKill,
      wrong: running.wrong,
    }
  } finally {
    await system?.destroy()
    program?.kill('SIGKILL')
    await redis.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

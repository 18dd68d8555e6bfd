/** What the long-lived processes of a soak take, looked at again and again: memory after a garbage collection, descriptors; of Redis what it says. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'

/** Bytes, and how many. */
export interface Sample {
  /** Wall clock, ms. */
  readonly at: number
  /** Of Node.js: the heap and what hangs on it, after a garbage collection. Of Redis: `used_memory`. */
  readonly heap: number
  /** Without the pages of files, where the system tells them apart. */
  readonly resident: number
  /** Of Redis: its connections. */
  readonly descriptors: number
  /** Of Redis: how many keys. */
  readonly keys?: number
}

/** What is there while nobody does anything. */
export interface Idle {
  /** Without what differs from one process to the next, and the lists of ids that a later sweep will look at. */
  readonly keys: readonly string[]
  /** How many of these lists there are: none when nothing is on its way any more. */
  readonly unswept: number
  readonly samples: ReadonlyMap<string, Sample>
}

const HEAP = new URL('children/heap.js', import.meta.url).href

/** The environment of a process that can be looked at, and of those that it starts. */
export const watched = (folder: string): Record<string, string> => ({
  NODE_OPTIONS: `--import=${HEAP}`,
  SOAK_FOLDER: folder,
})

const REPORTS_WITHIN_S = 12
const SWEEP_LIST = /\}:sweep:\d+$/

export class Samples {
  readonly #ofRedis: Sample[] = []

  /** @param members pids by name; each was started with heap.js */
  constructor(
    readonly folder: string,
    readonly redis: Redis,
    readonly members: ReadonlyMap<string, number>,
  ) {}

  get names(): string[] {
    return [...this.members.keys(), 'Redis']
  }

  /** All of one member, in order. */
  of(name: string): readonly Sample[] {
    if (name === 'Redis') return this.#ofRedis
    try {
      const lines = readFileSync(join(this.folder, String(this.members.get(name))), 'utf8').split('\n')
      return lines.slice(0, -1).map((line) => JSON.parse(line) as Sample)
    } catch {
      return []
    }
  }

  /** Has everybody look at itself; who is frozen does so later. While Redis is away nothing can be said of it. */
  async look(): Promise<void> {
    for (const pid of this.members.values()) process.kill(pid, 'SIGUSR2')
    const told = await this.redis.cli('INFO').catch(() => '')
    const figure = (name: string): number => Number(told.match(new RegExp(`^${name}:(\\d+)`, 'm'))?.[1])
    if (!told.includes('used_memory:')) return
    this.#ofRedis.push({
      at: Date.now(),
      heap: figure('used_memory'),
      resident: figure('used_memory_rss'),
      descriptors: figure('connected_clients'),
      keys: Number(told.match(/^db0:keys=(\d+)/m)?.[1] ?? 0),
    })
  }

  /** How many lists of the sweep are due soon: those of what processes tell of themselves, every few seconds. */
  async #ofReports(keys: readonly string[]): Promise<number> {
    const now = Number((await this.redis.cli('TIME')).split('\n')[0])
    const seconds = keys.filter((key) => SWEEP_LIST.test(key)).map((key) => Number(key.split(':').at(-1)))
    return seconds.filter((second) => second <= now + REPORTS_WITHIN_S).length
  }

  /** Resolves with what is there now. */
  async idle(): Promise<Idle> {
    const before = new Map(this.names.map((name) => [name, this.of(name).length]))
    await this.look()
    await until(() => this.names.every((name) => this.of(name).length > before.get(name)!), 'everybody has looked')
    const keys = (await this.redis.cli('KEYS', '*')).split('\n').filter((key) => key !== '')
    const kept = keys.filter((key) => !SWEEP_LIST.test(key))
    return {
      keys: kept.map((key) => key.replace(/[\w-]{22}$/, '<presence>')).sort(),
      unswept: keys.length - kept.length - (await this.#ofReports(keys)),
      samples: new Map(this.names.map((name) => [name, this.of(name).at(-1)!])),
    }
  }
}

type Figure = (sample: Sample) => number

/** By how much something grows in a minute, by least squares over the second half of the samples. */
export const slope = (samples: readonly Sample[], of: Figure): number => fitted(samples, of).alone

/**
 * The same at an equal number of descriptors: a machine that is slower for a while has more connections open, each of which takes memory until it
 * is closed, and that is no leak. Descriptors that leak are counted as such.
 */
export const slopeAtEqualDescriptors = (samples: readonly Sample[], of: Figure): number => fitted(samples, of).equal

function fitted(samples: readonly Sample[], of: Figure): { alone: number; equal: number } {
  const later = samples.slice(Math.floor(samples.length / 2))
  const fromMean = (list: readonly number[]): number[] => {
    const mean = list.reduce((sum, x) => sum + x, 0) / list.length
    return list.map((x) => x - mean)
  }
  const minutes = fromMean(later.map(({ at }) => at / 60_000))
  const open = fromMean(later.map(({ descriptors }) => descriptors))
  const figures = fromMean(later.map(of))
  const product = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0)
  const [tt, to, oo] = [product(minutes, minutes), product(minutes, open), product(open, open)]
  const [ft, fo] = [product(minutes, figures), product(open, figures)]
  const alone = ft / tt
  const apart = tt * oo - to * to
  // Hardly any change, or the same as that of time: the two cannot be told apart.
  return { alone, equal: apart > tt * oo * 0.001 ? (oo * ft - to * fo) / apart : alone }
}

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

const SWEEP_LIST = /\}:x\d+$/

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

  /** Resolves with what is there now. */
  async idle(): Promise<Idle> {
    const before = new Map(this.names.map((name) => [name, this.of(name).length]))
    await this.look()
    await until(() => this.names.every((name) => this.of(name).length > before.get(name)!), 'everybody has looked')
    const keys = (await this.redis.cli('KEYS', '*')).split('\n').filter((key) => key !== '')
    const kept = keys.filter((key) => !SWEEP_LIST.test(key))
    return {
      keys: kept.map((key) => key.replace(/[\w-]{22}$/, '<session>')).sort(),
      unswept: keys.length - kept.length,
      samples: new Map(this.names.map((name) => [name, this.of(name).at(-1)!])),
    }
  }
}

/** By how much something grows in a minute, by least squares over the second half of the samples. */
export function slope(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const later = samples.slice(Math.floor(samples.length / 2))
  const mean = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0) / list.length
  const minutes = later.map(({ at }) => at / 60_000)
  const figures = later.map(of)
  const [atMean, mid] = [mean(minutes), mean(figures)]
  let above = 0
  let below = 0
  for (const [i, at] of minutes.entries()) {
    above += (at - atMean) * (figures[i]! - mid)
    below += (at - atMean) ** 2
  }
  return above / below
}

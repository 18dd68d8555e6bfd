/** The mixed faults of a soak, in two lanes at once: what strikes processes, and what strikes Redis and its connections. */
import { setTimeout as pause } from 'node:timers/promises'
import type { System } from '../faults/system.js'
import { randomOf } from '../history/children/random.js'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'

export interface Target {
  readonly redis: Redis
  readonly system: System
  /** So many workers, the oldest, are never killed. */
  readonly spared: number
  /** Of those that are never killed and may be frozen. */
  readonly lasting: readonly number[]
  readonly seed: number
  /** The longest pause before a fault. */
  readonly mostPauseMs: number
  /** How often each fault has struck. */
  readonly struck: Map<string, number>
  /** Worker processes that were killed. */
  readonly killed: number[]
  /** Kills of Redis that found acknowledged work not yet in its file. */
  readonly delays: { unwrittenAtKill: number }
  /** Strikes with these faults alone. Default: all. */
  readonly only?: readonly string[] | undefined
  /** A line for each fault that begins or has ended, with the time. */
  readonly record: string[]
}

const LEAST_PAUSE_MS = 300
/** Shorter than the 3 s after which a link is given up, and well below the 10 s after which a blocked worker is replaced. */
const LONGEST_FREEZE_MS = 2_000
const LONGEST_AWAY_MS = 500

/** What one lane sees: each has random numbers of its own, so that neither depends on how fast the other one is. */
interface Lane extends Target {
  readonly random: () => number
}

const between = ({ random }: Lane, least: number, most: number): number => Math.round(least + random() * (most - least))

const anyOf = <T>({ random }: Lane, list: readonly T[]): T => list[Math.floor(random() * list.length)]!

const FAULTS: Readonly<Record<string, (target: Lane) => Promise<unknown>>> = {
  async 'worker killed'(target) {
    target.killed.push(await target.system.strike('SIGKILL', (pids) => pids.slice(target.spared)))
  },

  async 'process frozen'(target) {
    const pid = anyOf(target, [...target.lasting, ...target.system.workers()])
    process.kill(pid, 'SIGSTOP')
    await pause(between(target, 100, LONGEST_FREEZE_MS))
    process.kill(pid, 'SIGCONT')
  },

  async 'connection cut'(target) {
    let ids: string[] = []
    await until(async () => {
      const clients = await target.redis.cli('CLIENT', 'LIST')
      ids = [...clients.matchAll(/^id=(\d+) .*cmd=(?!client)/gm)].map(([, id]) => id!)
      return ids.length > 0
    }, 'somebody is connected')
    await target.redis.cli('CLIENT', 'KILL', 'ID', anyOf(target, ids))
  },

  'all connections cut': ({ redis }) => redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub'),

  async 'clients paused'(target) {
    const ms = between(target, 100, LONGEST_FREEZE_MS)
    await target.redis.cli('CLIENT', 'PAUSE', String(ms), anyOf(target, ['ALL', 'WRITE']))
    await pause(ms)
  },

  'functions flushed': ({ redis }) => redis.cli('FUNCTION', 'FLUSH'),

  async 'Redis killed'(target) {
    // Redis answers what its `everysec` has not written while a sync of the disk is under way.
    const persistence = await target.redis.cli('INFO', 'persistence')
    const pending = ['aof_buffer_length', 'aof_delayed_fsync'].some((name) => {
      return !new RegExp(`^${name}:0\\r?$`, 'm').test(persistence)
    })
    if (pending) target.delays.unwrittenAtKill++
    await target.redis.kill()
    await pause(between(target, 0, LONGEST_AWAY_MS))
    await target.redis.restart()
  },
}

const LANES: readonly Readonly<Record<string, number>>[] = [
  { 'worker killed': 3, 'process frozen': 2 },
  { 'connection cut': 3, 'all connections cut': 1, 'clients paused': 2, 'functions flushed': 1, 'Redis killed': 1 },
]

export const FAULT_NAMES = LANES.flatMap((lane) => Object.keys(lane))

/** Each lane deals its faults like cards: all of them come, in an order that the seed gives, and then again. */
async function strike(lane: Readonly<Record<string, number>>, target: Lane, over: AbortSignal): Promise<void> {
  const { only, record } = target
  const own = Object.entries(lane).filter(([fault]) => only?.includes(fault) ?? true)
  let deck: string[] = []
  while (!over.aborted && own.length > 0) {
    if (deck.length === 0) deck = own.flatMap(([fault, n]) => Array<string>(n).fill(fault))
    const [fault] = deck.splice(Math.floor(target.random() * deck.length), 1) as [string]
    await pause(between(target, LEAST_PAUSE_MS, target.mostPauseMs))
    record.push(`${Date.now()} ${fault}`)
    await FAULTS[fault]!(target)
    record.push(`${Date.now()} ${fault}: over`)
    target.struck.set(fault, (target.struck.get(fault) ?? 0) + 1)
  }
}

/** Strikes until it is over, and leaves everything healed behind. */
export const strikeAll = async (target: Target, over: AbortSignal): Promise<void> => {
  await Promise.all(LANES.map((lane, i) => strike(lane, { ...target, random: randomOf(target.seed + i) }, over)))
}

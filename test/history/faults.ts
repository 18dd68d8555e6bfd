/** The faults: each strikes again and again at random moments, says so in the history, and leaves everything healed behind. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Link } from '../support/link.js'
import type { Process } from '../support/process.js'
import type { Redis } from '../support/redis.js'
import type { Fault } from './history.js'

/** One process of the workload. */
export interface Member {
  readonly name: string
  readonly process: Process
  readonly role: string
  readonly session: string
  /** Whether it reaches Redis by the link. */
  readonly far: boolean
}

/** What a fault may lay its hands on. */
export interface Target {
  readonly redis: Redis
  readonly link: Link
  readonly random: () => number
  /** Fires when the faults are over. */
  readonly over: AbortSignal
  readonly members: readonly Member[]
  note(fault: Fault, name: string): void
  /** Starts another one in its place. */
  replace(member: Member): Promise<void>
  /** Somebody says that this process is dead. */
  disown(session: string): Promise<void>
}

const between = (target: Target, least: number, most: number): Promise<void> =>
  pause(least + target.random() * (most - least))

const anyOf = <T>(target: Target, list: readonly T[]): T => list[Math.floor(target.random() * list.length)]!

/** Half of the time a worker, if there is one: what it holds is what most checks are about. */
function anyMember(target: Target): Member {
  const workers = target.members.filter(({ role }) => role === 'worker')
  return anyOf(target, workers.length > 0 && target.random() < 0.5 ? workers : target.members)
}

export const FAULTS: Readonly<Record<string, (target: Target) => Promise<void>>> = {
  /** kill -9; another process comes in its place. */
  async kill(target) {
    await between(target, 100, 500)
    const member = anyMember(target)
    member.process.kill('SIGKILL')
    await member.process.exited
    target.note('killed', member.name)
    await target.replace(member)
  },

  /** Stopped for a while; half of the time somebody takes it for dead meanwhile. */
  async freeze(target) {
    await between(target, 50, 300)
    const member = anyMember(target)
    target.note('frozen', member.name)
    member.process.kill('SIGSTOP')
    await between(target, 20, 150)
    if (target.random() < 0.6) {
      await target.disown(member.session)
      target.note('disowned', member.name)
      await between(target, 50, 400)
    }
    member.process.kill('SIGCONT')
    target.note('thawed', member.name)
  },

  /** Replies are lost on their way, or the connections are cut, or nothing passes for a while. */
  async drop(target) {
    const { link, random } = target
    await between(target, 30, 250)
    const far = target.members.filter((member) => member.far)
    for (const { name } of far) target.note('cut', name)
    const chance = random()
    if (chance < 0.4) await Promise.race([link.dropNextReplyThenCut(), pause(500)])
    else if (chance < 0.55) link.cut()
    else if (chance < 0.85) link.dropReplies()
    else link.blackhole()
    if (chance >= 0.55) await between(target, 5, 400)
    link.heal()
    for (const { name } of far) target.note('healed', name)
  },

  /** kill -9 of Redis, and its restart from what it had appended to its file. */
  async restart(target) {
    await between(target, 500, 1_500)
    target.note('redis-killed', '*')
    await target.redis.kill()
    await between(target, 0, 300)
    await target.redis.restart()
    target.note('redis-back', '*')
  },
}

/** Lets one kind of fault strike until it is over. */
export async function strike(fault: string, target: Target): Promise<void> {
  while (!target.over.aborted) await FAULTS[fault]!(target)
}

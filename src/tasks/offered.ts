/** Offered: the tasks that the workers of a service have, for the error of a task that was not done in time. */

import { kindNamed } from '../entry/token.js'
import { didYouMean } from '../errors/did-you-mean.js'
import { indexOf, TASK, taskToken } from '../request/kinds.js'
import { valueWithin } from '../runtime/deadline.js'
import type { Space } from '../space.js'

/** The error is delayed by this at most. */
const LOOK_MS = 500
const MOST_NAMED = 10
const NAME = 'task=s:'

type Tokens = readonly string[] | null

/** By space and service: one look for all calls that time out together. */
const looking = new WeakMap<Space, Map<string, Promise<Tokens>>>()

/**
 * Returns a sentence that names the task and, if no worker of the service has it now, says so with the nearest name.
 * Never rejects; takes at most 500 ms.
 */
export async function whyNotDone(space: Space, service: string, task: string): Promise<string> {
  const asked = `The task is ${task}, of the service ${service}.`
  const tokens = await offeredTokens(space, service)
  if (tokens === null || tokens.includes(taskToken(task))) return asked
  if (tokens.length === 0) return `${asked} No worker of this service that has tasks is running.`
  // A long name is stored as its hash.
  const names = tokens.filter((token) => token.startsWith(NAME)).map((token) => kindNamed(token.slice(NAME.length)))
  const more = names.length > MOST_NAMED ? ', …' : ''
  const list = names.length === 0 ? '' : ` They have ${names.sort().slice(0, MOST_NAMED).join(', ')}${more}.`
  return `${asked} No worker of this service has this task.${list}${didYouMean(task, names)}`
}

async function offeredTokens(space: Space, service: string): Promise<Tokens> {
  let looks = looking.get(space)
  if (!looks) {
    looks = new Map()
    looking.set(space, looks)
  }
  let look = looks.get(service)
  if (!look) {
    look = lookFor(space, service).finally(() => looks.delete(service))
    looks.set(service, look)
  }
  return look
}

/** Returns null without an answer: then the error says nothing of workers. */
async function lookFor(space: Space, service: string): Promise<Tokens> {
  const template = { kind: TASK, root: TASK, indexed: [indexOf(service)], verified: [] }
  return (await valueWithin(LOOK_MS, space.engine.offered(template)).catch(() => null)) ?? null
}

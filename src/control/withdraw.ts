/** Withdraws a request of somebody else: it is gone from the space, and its gateway answers 504 at the deadline. */
import { kindNamed } from '../entry/token.js'
import { REQUEST, TASK, waitingTemplates } from '../request.js'
import { listEntries } from '../space/listing.js'
import type { Space } from '../space.js'
import type { SpaceState } from './state.js'

/** The most requests of a service that are looked through. */
const MOST_LOOKED = 10_000

/**
 * Removes a request that waits, or stops one that a process tells of: its handler's signal fires.
 *
 * @returns false if there is no such request
 */
export async function withdrawRequest(space: Space, id: string, { services, processes }: SpaceState): Promise<boolean> {
  const isRunning = processes.some(({ running }) => running.some((each) => each.id === id))
  return (isRunning || (await isWaiting(space, id, services))) && space.engine.cancel(id)
}

/** An id may be that of any entry: only requests are withdrawn. */
async function isWaiting(space: Space, id: string, services: SpaceState['services']): Promise<boolean> {
  for (const { name } of services) {
    for (const template of waitingTemplates(name)) {
      for await (const entry of listEntries(space, template, MOST_LOOKED)) {
        if (entry.id === id) return [REQUEST, TASK].includes(kindNamed(entry.kinds[0]!))
      }
    }
  }
  return false
}

/** Requests of a space as operators see them: those that wait, with the reason, and the oldest that run, with the process. */
import { wallMs } from '../clock.js'
import type { Listed } from '../engine.js'
import { kindNamed } from '../entry/token.js'
import { shownIn } from '../request/shown.js'
import { TASK, waitingTemplates } from '../request.js'
import { listEntries } from '../space/listing.js'
import type { Space } from '../space.js'
import type { ServiceState, SpaceState } from './state.js'

export interface SeenRequest {
  /** As in every log. */
  readonly id: string
  readonly state: 'waiting' | 'running'
  readonly service: string
  /** The method, or `TASK`. */
  readonly method: string
  /** Without the query; the name of a task. */
  readonly path: string
  /** Time since it was written, or taken, in ms. */
  readonly ageMs: number
  /** For a waiting request: time until its deadline, in ms; how often a process has died with it; why it waits. */
  readonly leftMs?: number
  readonly deaths?: number
  readonly why?: string
  /** For a running request: the process that works on it. */
  readonly process?: string
}

/**
 * Returns the requests of a space, or of one service: the oldest that run, then those that wait, by service and in the order
 * in which they are taken.
 *
 * @param max the maximum number of waiting ones
 */
export async function requestsIn(
  space: Space,
  { processes, services, at }: SpaceState,
  service: string | undefined,
  max: number,
): Promise<SeenRequest[]> {
  const running = processes.flatMap(({ process, running, at: toldAt }) =>
    running.map(({ ms, ...request }): SeenRequest => {
      return { ...request, state: 'running', ageMs: ms + Math.max(at - toldAt, 0), process }
    }),
  )
  const isMeant = (each: SeenRequest): boolean => service === undefined || each.service === service
  const seen = running.filter(isMeant).sort((a, b) => b.ageMs - a.ageMs)
  let left = max
  for (const of of services) {
    if (service !== undefined && of.name !== service) continue
    for (const template of waitingTemplates(of.name)) {
      for await (const entry of listEntries(space, template, left)) {
        seen.push(waitingOf(entry, of))
        if (--left === 0) return seen
      }
    }
  }
  return seen
}

function waitingOf(entry: Listed, service: ServiceState): SeenRequest {
  const { id, kinds, body, writtenAt, remainingMs, deaths } = entry
  const isTask = kindNamed(kinds[0]!) === TASK
  const { method = '', path = '' } = shownIn(body)
  return {
    id,
    state: 'waiting',
    service: service.name,
    method: isTask ? 'TASK' : method,
    path,
    ageMs: Math.max(wallMs() - writtenAt, 0),
    leftMs: Math.round(remainingMs),
    deaths,
    why: whyWaiting(service),
  }
}

function whyWaiting({ workers, withRoom, paused }: ServiceState): string {
  if (paused !== 'no') return 'the service is paused'
  if (workers === 0) return 'no worker takes requests of the service'
  if (withRoom === 0) return `all slots of its ${workers} workers are taken`
  return 'is about to be taken, or no worker has its task'
}

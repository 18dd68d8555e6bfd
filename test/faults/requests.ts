/** Requests and workers in the test's own process, without HTTP: what a gateway and a worker do in the space, and no more. */
import { isSpaceError } from '../../src/errors.js'
import {
  type HeldRequest,
  type HttpRequest,
  type HttpResponse,
  type Sent,
  sendRequest,
  serveRequests,
} from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { until } from '../support/until.js'

export const OK: HttpResponse = { status: 200, reason: 'OK', headers: [], body: Buffer.from('ok') }

export const requestTo = (target: string): HttpRequest => ({
  method: 'GET',
  target,
  httpVersion: '1.1',
  headers: ['host', 'test'],
  body: Buffer.alloc(0),
  peer: '127.0.0.1',
  secure: false,
})

export interface Ask {
  readonly repeatable: boolean
  readonly service?: string
  readonly timeoutMs?: number
}

export const send = (space: Space, target: string, { repeatable, service = 'web', timeoutMs = 60_000 }: Ask): Sent =>
  sendRequest(space, requestTo(target), { service, timeoutMs, priority: 0, repeatable })

/** The status of the answer, or the code of the error that came instead. */
export const outcomeOf = (sent: Sent): Promise<string> =>
  sent.response.then(
    (response) => String(response.status),
    (error) => (isSpaceError(error) ? error.code : Promise.reject(error)),
  )

/** A worker that holds what it is given until the test lets go of it. */
export interface Holder {
  readonly held: HeldRequest[]
  readonly lost: string[]
  stop(): Promise<void>
}

export async function hold(space: Space, concurrency: number, service = 'web'): Promise<Holder> {
  const held: HeldRequest[] = []
  const lost: string[] = []
  const serving = await serveRequests(space, service, concurrency, (taken) => {
    taken.onLost = () => lost.push(taken.id)
    held.push(taken)
  })
  return { held, lost, stop: () => serving.stop() }
}

/** What a worker's credit has become: so many requests it holds at once when there are more than enough; those are all answered. */
export async function creditOf(space: Space, from: Space, service: string, concurrency: number, held: HeldRequest[]) {
  const asked = Array.from({ length: concurrency * 2 }, (_, i) =>
    send(from, `/credit/${i}`, { repeatable: true, service }),
  )
  const answers = Promise.all(asked.map(outcomeOf))
  await until(() => held.length >= concurrency, `the worker holds ${concurrency}, not ${held.length}, at once`)
  // What was handed out beyond that would have come before the answer to a call of the same process that began later.
  await space.engine.renew('nobody', 1_000)
  const most = held.length
  let settled = false
  void answers.then(() => {
    settled = true
  })
  await until(async () => {
    await Promise.all(held.splice(0).map((taken) => taken.complete(OK)))
    return settled
  }, 'all of them are answered')
  await answers
  return most
}

/** A worker of one slot that is busy with a request, so that the next one waits. */
import type { ServerResponse } from 'node:http'
import { type Sent, sendRequest } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { until } from '../support/until.js'
import { requestOf } from '../workers/turns.js'

/** Starts it on `other`, and sends from `space`: a request for `target`, which runs, and one for `/second`, which waits. */
export async function busyWorker(space: Space, other: Space, target: string) {
  const held: ServerResponse[] = []
  const worker = createWorker({ space: other, app: (_req, res) => void held.push(res), concurrency: 1 })
  await worker.start()
  const send = (path: string): Sent =>
    sendRequest(space, requestOf({ target: path }), {
      service: 'web',
      timeoutMs: 20_000,
      priority: 0,
      repeatable: true,
    })
  const running = send(target)
  await until(() => held.length === 1, 'the first runs')
  const waiting = send('/second')
  return { held, running, waiting, [Symbol.asyncDispose]: () => worker[Symbol.asyncDispose]() }
}

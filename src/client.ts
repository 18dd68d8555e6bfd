/** Client: requests by program, through the space, without a socket. */
import { SpaceError } from './errors.js'
import { fetchThrough } from './fetch.js'
import type { Space } from './space.js'

export interface ClientOptions {
  readonly space: Space
  /** Which app the requests are for. Default `web`. */
  readonly service?: string
}

export interface ClientFetchOptions extends RequestInit {
  /** From now until the call rejects with REQUEST_TIMEOUT, in ms; of a body that still goes, from when it last moved. Default 30 000. */
  readonly timeoutMs?: number
  /** Default: the client's. */
  readonly service?: string
  /** Higher is taken first, -128 to 127. Default 0. */
  readonly priority?: number
  /** Whether it may run again when its worker died. Default: as its method says (RFC 9110 §9.2.2), or an Idempotency-Key. */
  readonly repeatable?: boolean
}

export interface Client {
  /**
   * An HTTP request that a worker's app answers: standard fetch, but through the space. A path is enough; of a whole URL, host and path
   * count. Bodies pass as they come, both ways, whatever their length. This is how an app is tested without Redis and without a port (docs/testing.md).
   *
   * @throws the signal's reason; SpaceError REQUEST_TIMEOUT, WORKER_LOST, DELIVERIES_EXHAUSTED, SPACE_UNREACHABLE, SPACE_FULL, …
   * @example const response = await client.fetch('/orders/1', { method: 'POST', body: JSON.stringify(order) })
   */
  fetch(input: string | URL | Request, options?: ClientFetchOptions): Promise<Response>
}

export function createClient({ space, service = 'web' }: ClientOptions): Client {
  if (typeof space?.newId !== 'function') {
    throw new SpaceError('INVALID_ARGUMENT', 'space is what openSpace returned.')
  }
  return {
    fetch: (input, options = {}) => fetchThrough(space, input, { service, ...options }),
  }
}

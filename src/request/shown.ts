/** A request as operators see it: without the query, headers and body, which may hold secrets. */
import { decodeRequest, type HttpRequest } from './message.js'

export interface ShownRequest {
  readonly method: string
  readonly path: string
}

export const shownRequest = ({ method, target }: Pick<HttpRequest, 'method' | 'target'>): ShownRequest => ({
  method,
  path: target.replace(/\?.*/s, ''),
})

/** Returns {} if the body is stored elsewhere because it is large, or is damaged. */
export function shownIn(body: Buffer): Partial<ShownRequest> {
  try {
    return shownRequest(decodeRequest(body))
  } catch {
    return {}
  }
}

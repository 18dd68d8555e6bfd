/** The whole response to a call: that of a large result is streamed, and collected here. */
import { LARGEST_ENTRY } from '../entry/limits.js'
import { isErrorCode, SpaceError } from '../errors.js'
import type { HttpResponse, Rest } from '../request/message.js'

/**
 * Returns the response with its complete body. @throws SpaceError WORKER_LOST, OUTCOME_UNKNOWN and others if its stream
 * breaks; BAD_RESPONSE if it is larger than a result may be
 */
export function wholeResponse(response: HttpResponse, rest: Rest): Promise<HttpResponse> {
  const chunks: Buffer[] = [response.body]
  let size = response.body.length
  return new Promise((resolve, reject) => {
    rest.read({
      onChunk(chunk) {
        size += chunk.length
        if (size <= LARGEST_ENTRY) {
          chunks.push(chunk)
          return true
        }
        rest.cancel()
        reject(new SpaceError('BAD_RESPONSE', `The result is larger than ${LARGEST_ENTRY} bytes.`))
        return false
      },
      onEnd: () => resolve({ ...response, rest: undefined, body: Buffer.concat(chunks, size) }),
      onBroken: (reason) => reject(new SpaceError(isErrorCode(reason) ? reason : 'OUTCOME_UNKNOWN')),
    })
  })
}

/** A response that comes bit by bit, as one that is all here. */
import type { HttpResponse } from '../../src/request.js'

export function whole(response: HttpResponse): Promise<HttpResponse> {
  const { rest, ...head } = response
  if (!rest) return Promise.resolve(response)
  const chunks: Buffer[] = [response.body]
  return new Promise((resolve, reject) => {
    rest.read({
      onChunk(chunk) {
        chunks.push(chunk)
        return true
      },
      onEnd: (trailers) =>
        resolve({ ...head, body: Buffer.concat(chunks), ...(trailers.length > 0 ? { trailers } : {}) }),
      onBroken: (reason) => reject(new Error(`broken off: ${reason}`)),
    })
  })
}

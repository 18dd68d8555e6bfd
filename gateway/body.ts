/** Reads a request's body into memory, within the limits and within a bounded time. */
import type { IncomingMessage } from 'node:http'
import type { Limits } from './limits.js'
import { BODY_TOO_SLOW } from './refusals.js'

/** A body that takes longer is a slow-body attack or a broken connection. Less than the server's requestTimeout, which logs nothing. */
const BODY_MS = 25_000

/** The client went away: there is nobody to answer. */
export const CLIENT_GONE = Symbol('client gone')

/** Counts what it holds into `held.bytes`, also when it fails. Rejects with a Refusal or CLIENT_GONE. */
export function readBody(req: IncomingMessage, limits: Limits, held: { bytes: number }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []

    const onData = (chunk: Buffer): void => {
      try {
        limits.hold(held.bytes, chunk.length)
      } catch (refusal) {
        fail(refusal)
        return
      }
      held.bytes += chunk.length
      chunks.push(chunk)
    }
    const onEnd = (): void => {
      settle()
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))
    }
    const onGone = (): void => fail(CLIENT_GONE)
    const fail = (reason: unknown): void => {
      settle()
      reject(reason)
    }
    const timer = setTimeout(() => fail(BODY_TOO_SLOW), BODY_MS)
    const settle = (): void => {
      clearTimeout(timer)
      req.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone)
    }
    req.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone)
    // Read by someone before us (a body parser in front of a mounted handler): nothing more would ever come.
    if (req.readableEnded || req.destroyed)
      fail(new TypeError('The body had been read before the gateway was given it.'))
  })
}

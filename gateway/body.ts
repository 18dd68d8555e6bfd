/** Reads a request's body into memory, or the part that arrives soon, within the limits and a bounded time. */
import type { IncomingMessage } from 'node:http'
import { passedOn } from './fields.js'
import type { BodyLimits } from './limits.js'
import { BODY_TOO_SLOW, bodyTooLarge, Refusal } from './refusals.js'
import type { Receiving, Uploads } from './uploads.js'

/** A small body that takes longer is a slow-body attack or a broken connection. */
const BODY_MS = 25_000
/** A larger body is streamed to the worker. */
const MOST_COLLECTED = 65_536
/** A small body with a Content-Length is waited for this long: a complete body can be retried. */
const SMALL_WITHIN_MS = 1_000
/** Any other body is streamed after this time. */
const SOON_MS = 20

/** The client has closed its connection; there is no response. */
export const CLIENT_GONE = Symbol('client gone')

/** Returns what ends a request whose body ends early: the refusal of malformed bytes (unparsed.ts), else CLIENT_GONE. */
export const endOf = (reason: unknown): Refusal | typeof CLIENT_GONE =>
  reason instanceof Refusal ? reason : CLIENT_GONE

export interface Received {
  /** The complete body, or its beginning. */
  readonly body: Buffer
  /** False if more of the body follows; the request is then paused. */
  readonly ended: boolean
  readonly trailers: readonly string[]
}

export const NO_BODY: Received = { body: Buffer.alloc(0), ended: true, trailers: [] }

/**
 * Returns the body, or its beginning. Counts its bytes in `held.bytes`, also when it fails. Rejects with a Refusal or
 * CLIENT_GONE.
 */
export function readBody(
  req: IncomingMessage,
  length: number,
  limits: BodyLimits,
  held: { bytes: number },
): Promise<Received> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const isSmall = length >= 0 && length <= MOST_COLLECTED

    const onData = (chunk: Buffer): void => {
      try {
        limits.hold(held.bytes, chunk.length)
      } catch (refusal) {
        fail(refusal)
        return
      }
      held.bytes += chunk.length
      chunks.push(chunk)
      if (held.bytes >= MOST_COLLECTED && length !== held.bytes) goOn()
    }
    const give = (ended: boolean): void => {
      settle()
      const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
      resolve({ body, ended, trailers: ended ? trailersOf(req) : [] })
    }
    const onEnd = (): void => give(true)
    const goOn = (): void => {
      req.pause()
      give(false)
    }
    const onGone = (reason?: unknown): void => fail(endOf(reason))
    const fail = (reason: unknown): void => {
      settle()
      reject(reason)
    }
    const timer = setTimeout(() => fail(BODY_TOO_SLOW), BODY_MS)
    const soon = setTimeout(goOn, isSmall ? SMALL_WITHIN_MS : SOON_MS)
    const settle = (): void => {
      clearTimeout(timer)
      clearTimeout(soon)
      req.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone)
    }
    req.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone)
    // If something before this handler has read the body (a body parser in front of a mounted handler), no event would
    // ever come.
    if (req.readableEnded || req.destroyed)
      fail(new TypeError('The body had been read before the gateway was given it.'))
  })
}

/**
 * Returns the complete body, given its beginning. Rejects with a Refusal if the body is larger than `most` bytes, with
 * CLIENT_GONE as readBody does.
 */
export function readRest(
  req: IncomingMessage,
  first: Received,
  limits: BodyLimits,
  held: { bytes: number },
  most: number,
  uploads: Uploads,
): Promise<Received> {
  const tooLarge = (): Refusal => bodyTooLarge(most, 'the limit for requests with an Idempotency-Key')
  return new Promise((resolve, reject) => {
    if (first.body.length > most) throw tooLarge()
    if (first.ended) return resolve(first)
    const chunks = [first.body]
    const settle = (): void => {
      clearTimeout(timer)
      uploads.delete(receiving)
      req.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone)
    }
    const fail = (reason: unknown): void => {
      settle()
      reject(reason)
    }
    const onData = (chunk: Buffer): void => {
      try {
        limits.hold(held.bytes, chunk.length)
        held.bytes += chunk.length
        if (held.bytes > most) throw tooLarge()
        chunks.push(chunk)
      } catch (refusal) {
        fail(refusal)
      }
    }
    const onEnd = (): void => {
      settle()
      resolve({ body: Buffer.concat(chunks), ended: true, trailers: trailersOf(req) })
    }
    const onGone = (reason?: unknown): void => fail(endOf(reason))
    const timer = setTimeout(() => fail(BODY_TOO_SLOW), BODY_MS)
    const receiving: Receiving = {
      get bytes() {
        return held.bytes
      },
      isStalled: true,
      fail,
    }
    uploads.add(receiving)
    req.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone).resume()
  })
}

/** Returns the trailers that may be passed on (RFC 9110 §6.5.1). */
export const trailersOf = ({ rawTrailers }: IncomingMessage): readonly string[] =>
  rawTrailers.length === 0 ? rawTrailers : passedOn(rawTrailers)

/** Reads a request's body into memory, or as much of it as comes soon, within the limits and within a bounded time. */
import type { IncomingMessage } from 'node:http'
import { passedOn } from './fields.js'
import type { Limits } from './limits.js'
import { BODY_TOO_SLOW, bodyTooLarge, type Refusal } from './refusals.js'

/** A body that takes longer, although it is small, is a slow-body attack or a broken connection. */
const BODY_MS = 25_000
/** More is not collected before it goes on to a worker. */
const MOST_COLLECTED = 65_536
/** A small body that says how long it is is worth a wait: a worker is better given all of it. */
const SMALL_WITHIN_MS = 1_000
/** Any other goes on as it comes. */
const SOON_MS = 20

/** The client went away: there is nobody to answer. */
export const CLIENT_GONE = Symbol('client gone')

export interface Received {
  /** All of it, or its beginning. */
  readonly body: Buffer
  /** Whether that is all. If not, the request is paused. */
  readonly ended: boolean
  readonly trailers: readonly string[]
}

export const NO_BODY: Received = { body: Buffer.alloc(0), ended: true, trailers: [] }

/** Counts what it holds into `held.bytes`, also when it fails. Rejects with a Refusal or CLIENT_GONE. */
export function readBody(
  req: IncomingMessage,
  length: number,
  limits: Limits,
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
    const onGone = (): void => fail(CLIENT_GONE)
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
    // Read by someone before us (a body parser in front of a mounted handler): nothing more would ever come.
    if (req.readableEnded || req.destroyed)
      fail(new TypeError('The body had been read before the gateway was given it.'))
  })
}

/** What comes after its beginning, up to `most` bytes in all. @throws Refusal or CLIENT_GONE, as readBody rejects */
export function readRest(
  req: IncomingMessage,
  first: Received,
  limits: Limits,
  held: { bytes: number },
  most: number,
): Promise<Received> {
  const tooLarge = (): Refusal => bodyTooLarge(most, 'the limit for requests with an Idempotency-Key')
  return new Promise((resolve, reject) => {
    if (first.body.length > most) throw tooLarge()
    if (first.ended) return resolve(first)
    const chunks = [first.body]
    const settle = (): void => {
      clearTimeout(timer)
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
    const onGone = (): void => fail(CLIENT_GONE)
    const timer = setTimeout(() => fail(BODY_TOO_SLOW), BODY_MS)
    req.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone).resume()
  })
}

/** Those that may stand behind a body (RFC 9110 §6.5.1). */
export const trailersOf = ({ rawTrailers }: IncomingMessage): readonly string[] =>
  rawTrailers.length === 0 ? rawTrailers : passedOn(rawTrailers)

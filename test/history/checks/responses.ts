/** A request has one answer, that of the claim whose completion the space accepted; what may not run twice does not. */
import type { Operation } from '../history.js'
import { outages } from '../outages.js'
import type { ClaimLife, RequestLife } from '../requests.js'
import type { Facts } from './index.js'

export function oneAnswer({ requests, history: { events } }: Facts): string[] {
  const wasOut = outages(events)
  return [...requests.lives.values()].flatMap((life) => {
    const isTwice = life.repeatable && wasOut(life.asked)
    const isSure = (completion: Operation): boolean =>
      completion.returned - completion.invoked < GRACE_US || !wasOut(completion)
    const heard = life.outcomes[0]?.at ?? life.asked.returned
    const mayBeUnknown = wasOut({ ...life.asked, returned: heard })
    return [...wrongWith(life, { isTwice, isSure, mayBeUnknown })].map((what) => `${life.value}: ${what}`)
  })
}

/** Whose link is away for so long may be buried (GRACE_MS of session.lua). */
const GRACE_US = 250_000

interface Doubts {
  readonly isTwice: boolean
  readonly isSure: (completion: Operation) => boolean
  readonly mayBeUnknown: boolean
}

/**
 * `isTwice`: it may have been written twice, since it may be repeated and its gateway could not know whether it had been written.
 * `isSure`: whether a refusal can be believed. A completion whose answer was lost is given again; if its process was buried meanwhile, it is
 * refused then, although it was accepted the first time. `mayBeUnknown`: its gateway may have been buried, so that nobody was told.
 */
function* wrongWith(
  { value, repeatable, claims, outcomes, timedOut }: RequestLife,
  { isTwice, isSure, mayBeUnknown }: Doubts,
): Generator<string> {
  const accepted = claims.filter((claim) => operationOf(claim, 'complete')?.out === 'ok')
  if (accepted.length > 1 && !isTwice)
    yield `completions were accepted under ${accepted.map(({ claim }) => claim).join(' and ')}`
  if (outcomes.length > 1) yield `its gateway heard ${outcomes.map(({ kind }) => kind).join(' and ')}`
  const [outcome] = outcomes
  if (outcome?.kind === 'completed') {
    const [, of] = outcome.body!.split(`${value}|`)
    const claim = claims.find(({ claim }) => claim === of)
    const completion = claim && operationOf(claim, 'complete')
    if (!completion) yield `its answer is nobody's: ${outcome.body}`
    else if (completion.out === 'refused' && isSure(completion)) yield `its answer came from ${of}, which was refused`
    else if (completion.invoked > outcome.at) yield `its answer came before ${of} gave it`
    if (accepted[0] && !isTwice && accepted[0].claim !== of)
      yield `${accepted[0].claim} was accepted, and its answer is of ${of}`
  } else if (outcome?.kind === 'unknown') {
    if (!mayBeUnknown) yield 'its gateway was never away, and heard unknown'
  } else if (outcome && accepted[0]) {
    yield `${accepted[0].claim} was accepted, and its gateway heard ${outcome.kind}`
  }
  const end = outcome?.at ?? timedOut?.at ?? Number.POSITIVE_INFINITY
  // A holder that was overtaken may still be running; but nobody is told anew that it may begin.
  const late = claims.find((claim) => isStarted(claim) && operationOf(claim, 'start')!.invoked > end)
  if (late && outcome) yield `${late.claim} was allowed to start after its answer had come`
  if (repeatable) return
  const started = claims.filter(isStarted)
  if (started.length > 1)
    yield `it may run once, and was started under ${started.map(({ claim }) => claim).join(' and ')}`
  if (claims.flatMap(({ executions }) => executions).length > 1) yield 'it may run once, and ran twice'
}

const operationOf = ({ operations }: ClaimLife, asked: Operation['what']): Operation | undefined =>
  operations.find(({ what }) => what === asked)

const isStarted = (claim: ClaimLife): boolean => operationOf(claim, 'start')?.out === 'ok'

/** The kind of the entries that requests are, and the template by which those of one service are taken. */
import { OWN_KINDS, type Pattern } from './engine.js'
import { tokenOf } from './token.js'

export const REQUEST = `${OWN_KINDS}Request`

export const indexOf = (service: string): string => `service=${tokenOf(service)}`

/** The wildcard on everything but the service. */
export const patternOf = (service: string): Pattern => ({
  kind: REQUEST,
  root: REQUEST,
  indexed: [indexOf(service)],
  verified: [],
})

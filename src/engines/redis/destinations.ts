/** Destinations of a move: the new partition in which a process that has the new address alone looks for what is stored. */
import { TICKET } from '../../engine/tickets.js'
import { readSignature } from '../../entry/signature.js'
import type { Placement } from '../partitions/placement.js'
import type { Movable } from './moves.js'
import { RECORD, RECORD_TYPE, SIGN } from './protocol.js'

const ENTRY = RECORD_TYPE.entry.charCodeAt(0)
const NEWLINE = 10

export class Destinations {
  readonly #placement: Pick<Placement, 'ofKey' | 'ofId'>
  #fields: ReadonlyMap<string, string> = new Map()

  /** `placement`: that of the new partitions, numbered from 0. */
  constructor(placement: Pick<Placement, 'ofKey' | 'ofId'>) {
    this.#placement = placement
  }

  /** Sets the field that decides the partition, by kind. Entries of other kinds have no key. */
  know(fields: ReadonlyMap<string, string>): void {
    this.#fields = fields
  }

  /** Returns the only partition that will do; undefined if any will. */
  required({ id, record }: Movable): number | undefined {
    if (id.startsWith(SIGN.session)) return this.#placement.ofKey(id)
    const isRequest = record[RECORD.type.from - 1] !== ENTRY
    const from = (isRequest ? RECORD.requestSignature.from : RECORD.signature.from) - 1
    const { kinds, indexed, verified } = readSignature(record.toString('utf8', from, record.indexOf(NEWLINE, from)))
    if (kinds.at(-1) === TICKET) return this.#placement.ofKey(id)
    // The request of a ticket.
    if (isRequest && id.includes('.')) return this.#placement.ofId(id)
    const kind = kinds.find((each) => this.#fields.has(each))
    const field = kind && `${this.#fields.get(kind)}=`
    const token = field && [...indexed, ...verified].find((each) => each.startsWith(field))
    return token ? this.#placement.ofKey(token.slice(field.length)) : undefined
  }

  /** Returns the partition; for what may be in any, the one that is asked first for its id. */
  of(item: Movable): number {
    return this.required(item) ?? this.#placement.ofId(item.id)
  }
}

/** Pushes: everything that one call of the library hands to this process, in one message (PUSH in protocol.ts). */
import { decimalIn } from '../../../runtime/decimal.js'

export interface PushItem {
  /** One of PUSH. */
  readonly kind: string
  readonly first: string
  readonly second: string
  readonly bytes: Buffer
}

export interface PushHead {
  /** The lease clock of the call that sent the message. */
  readonly now: number
  /** The function library that sent it; each numbers its messages to a process. */
  readonly library: string
  readonly number: number
  /** Where the items begin. */
  readonly at: number
}

type OnItem = (item: PushItem, now: number) => void

const TAB = 9
const NEWLINE = 10
/** A page and a message begin with the lease clock, 13 digits. */
const CLOCK_LENGTH = 13
/** The end of the name of a library. */
const LIBRARY_LENGTH = 5
const NUMBER_AT = CLOCK_LENGTH + LIBRARY_LENGTH
const LONGEST_HEAD = 40

/** Returns the head of a message: lease clock, library, number, newline; null if it has none. */
export function headOf(message: Buffer): PushHead | null {
  const end = message.indexOf(NEWLINE)
  if (end > LONGEST_HEAD) return null
  const now = decimalIn(message, 0, CLOCK_LENGTH)
  const number = decimalIn(message, NUMBER_AT, end)
  if (Number.isNaN(now) || Number.isNaN(number)) return null
  return { now, library: message.toString('latin1', CLOCK_LENGTH, NUMBER_AT), number, at: end + 1 }
}

/** Calls `onItem` for each item of a message. Returns false if the message is malformed; it ends there. */
export function readItems(message: Buffer, { now, at }: Pick<PushHead, 'now' | 'at'>, onItem: OnItem): boolean {
  const size = message.length
  let from = at
  // Byte by byte: a search in a buffer costs as much as some thirty of them, and the parts are shorter.
  while (from < size) {
    let first = from + 1
    while (first < size && message[first] !== TAB) first++
    let second = first + 1
    while (second < size && message[second] !== TAB) second++
    let end = second + 1
    while (end < size && message[end] !== NEWLINE) end++
    const next = end + 1 + decimalIn(message, second + 1, end)
    if (!(next <= size)) return false
    onItem(
      {
        kind: String.fromCharCode(message[from]!),
        first: message.toString('latin1', from + 1, first),
        second: second === first + 1 ? '' : message.toString('latin1', first + 1, second),
        bytes: message.subarray(end + 1, next),
      },
      now,
    )
    from = next
  }
  return true
}

/** Calls `onItem` for each item of a page of a reply, which begins with the lease clock. */
export function readPage(page: Buffer, onItem: OnItem): void {
  readItems(page, { now: decimalIn(page, 0, CLOCK_LENGTH), at: CLOCK_LENGTH }, onItem)
}

/** Pushes: everything that one call of the library hands to this process, in one message (PUSH in protocol.ts). */

export interface PushItem {
  /** One of PUSH. */
  readonly kind: string
  readonly first: string
  readonly second: string
  readonly bytes: Buffer
}

const TAB = 9
const NEWLINE = 10
/** A message begins with the lease clock of the call that sent it, 13 digits. */
const CLOCK_LENGTH = 13

/** Calls `onItem` for each item of a message, with the lease clock of the call that sent it. */
export function readPush(message: Buffer, onItem: (item: PushItem, now: number) => void): void {
  const now = Number(message.toString('latin1', 0, CLOCK_LENGTH))
  let at = CLOCK_LENGTH
  while (at < message.length) {
    const first = message.indexOf(TAB, at)
    const second = message.indexOf(TAB, first + 1)
    const end = message.indexOf(NEWLINE, second + 1)
    const length = Number(message.toString('latin1', second + 1, end))
    onItem(
      {
        kind: message.toString('latin1', at, at + 1),
        first: message.toString('latin1', at + 1, first),
        second: message.toString('latin1', first + 1, second),
        bytes: message.subarray(end + 1, end + 1 + length),
      },
      now,
    )
    at = end + 1 + length
  }
}

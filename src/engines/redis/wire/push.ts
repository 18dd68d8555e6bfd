/** Pushes: what one call of the library hands to this process, all in one message. */

export interface PushItem {
  /**
   * d a delivery (wait, claim) · v an entry for a waiting read (wait, id) · o an outcome (id) · l a claim that the space does not know ·
   * x a request that was withdrawn (id) · G a process is gone (presence) · B this presence was taken for dead · e an event (registration, id and number) · z a wait for what
   * transactions hold that has nothing to wait for (wait) · A something is free for a transaction only (its name) · T a transaction or
   * registration has ended (its name without the presence: `.number` or `:registration`).
   */
  readonly letter: string
  readonly a: string
  readonly b: string
  readonly bytes: Buffer
}

const TAB = 9
const NEWLINE = 10

/** Calls `onItem` for each item of a message, with the lease clock of the call that sent it. */
export function readPush(message: Buffer, onItem: (item: PushItem, now: number) => void): void {
  const now = Number(message.toString('latin1', 0, 13))
  let at = 13
  while (at < message.length) {
    const first = message.indexOf(TAB, at)
    const second = message.indexOf(TAB, first + 1)
    const end = message.indexOf(NEWLINE, second + 1)
    const length = Number(message.toString('latin1', second + 1, end))
    onItem(
      {
        letter: message.toString('latin1', at, at + 1),
        a: message.toString('latin1', at + 1, first),
        b: message.toString('latin1', first + 1, second),
        bytes: message.subarray(end + 1, end + 1 + length),
      },
      now,
    )
    at = end + 1 + length
  }
}

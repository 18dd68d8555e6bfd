/** The handshake of a direct connection: one line each way, within a bounded time. */
import type { Socket } from 'node:net'
import { LONGEST_LINE } from './proof.js'

export const HANDSHAKE_MS = 2_000
const NEWLINE = 10

/**
 * Returns the first line that arrives and the bytes behind it; undefined if there is none in time, or it is too long.
 * The socket is paused then.
 */
export function firstLine(socket: Socket): Promise<{ line: string; rest: Buffer } | undefined> {
  return new Promise((resolve) => {
    let text: Buffer = Buffer.alloc(0)
    const settle = (found?: { line: string; rest: Buffer }): void => {
      clearTimeout(timer)
      socket.off('data', onData).off('close', onClose)
      socket.pause()
      resolve(found)
    }
    const onData = (bytes: Buffer): void => {
      text = text.length === 0 ? bytes : Buffer.concat([text, bytes])
      const end = text.indexOf(NEWLINE)
      if (end < 0 && text.length <= LONGEST_LINE) return
      if (end < 0 || end > LONGEST_LINE) return settle()
      settle({ line: text.toString('latin1', 0, end), rest: text.subarray(end + 1) })
    }
    const onClose = (): void => settle()
    const timer = setTimeout(onClose, HANDSHAKE_MS)
    socket.on('data', onData).on('close', onClose)
  })
}

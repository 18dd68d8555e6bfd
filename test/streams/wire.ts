/** A wire between processes that exchange messages of streams: delivered one by one, and lost while a link is cut. */
import type { Engine, OnMessagePart } from '../../src/engine.js'

/** Two processes whose messages may be lost whenever a link is, each way for itself; both hear of it when it is back. */
export class Wire {
  readonly #ends = new Map<string, { onPart: OnMessagePart; onGap(): void; cut: boolean }>()
  readonly #queue: (() => void)[] = []
  lost = 0
  bytes = 0
  /** Sees each message. */
  onPost: ((to: string, message: Buffer) => void) | undefined

  engine(presence: string): Engine {
    const end = { onPart: (() => {}) as OnMessagePart, onGap: () => {}, cut: false }
    this.#ends.set(presence, end)
    return {
      presence,
      post: async (to: string, parts: readonly Buffer[]) => {
        const message = Buffer.concat(parts)
        const other = this.#ends.get(to)!
        this.bytes += message.length
        this.onPost?.(to, message)
        if (end.cut || other.cut) {
          this.lost++
          return false
        }
        this.#queue.push(() => {
          // It may be cut while the message is under way.
          if (other.cut) this.lost++
          else other.onPart(message, true)
        })
        return true
      },
      hear: async (onPart: OnMessagePart, onGap: () => void) => {
        end.onPart = onPart
        end.onGap = onGap
      },
    } as unknown as Engine
  }

  cut(presence: string): void {
    this.#ends.get(presence)!.cut = true
  }

  heal(presence: string): void {
    const end = this.#ends.get(presence)!
    if (!end.cut) return
    end.cut = false
    end.onGap()
  }

  async step(): Promise<boolean> {
    const next = this.#queue.shift()
    next?.()
    await new Promise(setImmediate)
    return next !== undefined
  }

  /** Until nothing is under way, also not what a turn of the event loop would send. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 4; ) quiet = (await this.step()) ? 0 : quiet + 1
  }
}

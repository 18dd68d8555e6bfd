/** The web's streams over ours: what a `{ fetch }` app reads as its request, and a program as its response. */
import { SpaceError } from '../../errors.js'
import type { Rest } from '../message.js'
import type { Sink } from './collector.js'

/** As a server would read ahead. */
const READ_AHEAD_BYTES = 65_536

/** `first`, then what comes. `onOver` hears when nothing more will. */
export function readableOf(first: Buffer, rest: Rest, onOver: () => void = () => {}): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      start(controller) {
        if (first.length > 0) controller.enqueue(first)
        rest.read({
          onChunk(chunk) {
            controller.enqueue(chunk)
            return (controller.desiredSize ?? 0) > 0
          },
          onEnd() {
            onOver()
            controller.close()
          },
          onBroken() {
            onOver()
            controller.error(new SpaceError('WORKER_LOST', 'What has come of its body is not all of it.'))
          },
        })
      },
      pull: () => rest.resume(),
      cancel() {
        rest.cancel()
        onOver()
      },
    },
    { highWaterMark: READ_AHEAD_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
  )
}

/** The same memory. */
export const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)

/** Resolves when more may be written, or nothing more is wanted. */
export const roomIn = (sink: Sink): Promise<void> =>
  new Promise((resolve) => {
    sink.onDrain = resolve
    void sink.over.then(resolve)
  })

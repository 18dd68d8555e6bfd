/** Web streams on top of streams: the body of a request for a `{ fetch }` app, and of a response for a program. */
import { SpaceError } from '../../errors.js'
import type { Rest } from '../message.js'
import type { Sink } from './collector.js'

/** Bytes that are read ahead. */
const READ_AHEAD_BYTES = 65_536

/** Returns a stream of `first` and `rest`. `onOver` is called at its end. */
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
            controller.error(new SpaceError('WORKER_LOST', 'The body of its response is incomplete.'))
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

/** Returns a Buffer of the same memory. */
export const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)

/** Resolves when more may be written, or the stream has ended. */
export const roomIn = (sink: Sink): Promise<void> =>
  new Promise((resolve) => {
    sink.onDrain = resolve
    void sink.over.then(resolve)
  })

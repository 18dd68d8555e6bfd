/** Waits for an app file that exports nothing to call listen(). */
import { monotonicMs } from '../../clock.js'
import type { Listening } from './listen.js'

/** Knowledge of a file before it is loaded: none, or whether its last version listened or exported its app. */
export type Expectation = 'unknown' | 'listens' | 'exports'

/** At the first load: how long a file may take that has something under way. */
const LISTEN_MS = 60_000
/** At a reload the code before has things under way, too, so those of the file cannot be told. */
const LISTEN_AGAIN_MS = 10_000
const EXPORTED_MS = 500
/** A file that takes longer than this is named. */
const TOLD_AFTER_MS = 5_000
const LOOK_MS = 10
/** A server of another protocol keeps a process; with nothing beside it for so long, none for HTTP will come. */
const ONLY_SERVING_MS = 1_000
/** Resources that may stand beside such a server, and have no callback still to come: standard streams, the channel to a supervisor, followed files. */
const STANDING = /^(TCPServer|Pipe|TTY|FSEvent|StatWatcher|Signal|CloseReq)/

/**
 * Resolves when a server of `heard` listens, or when none will: Node is about to end the process, since the file has left nothing under way (timers,
 * sockets, imports, work of the thread pool), only a server of another protocol keeps it, or the time is over. `onSlow` is called if it takes long.
 */
export function untilListening(
  heard: readonly Listening[],
  expectation: Expectation,
  onSlow: () => void,
): Promise<void> {
  const since = monotonicMs()
  const longest = { unknown: LISTEN_MS, listens: LISTEN_AGAIN_MS, exports: EXPORTED_MS }[expectation]
  // The channel to a supervisor would keep the process.
  const channel = process.listenerCount('message') > 0 ? process.channel : undefined
  return new Promise((resolve) => {
    const end = (): void => {
      clearInterval(looking)
      clearTimeout(slow)
      process.off('beforeExit', onIdle)
      channel?.ref()
      resolve()
    }
    // The immediate keeps the process until the caller has gone on.
    const onIdle = (): void => void setImmediate(end)
    let busyAt = since
    const look = (): void => {
      const now = monotonicMs()
      const resources = process.getActiveResourcesInfo()
      const onlyServes = resources.includes('TCPServerWrap') && resources.every((type) => STANDING.test(type))
      if (!onlyServes) busyAt = now
      const isOver = now - since >= longest || now - busyAt >= ONLY_SERVING_MS
      if (isOver || heard.some(({ server }) => server.listening)) end()
    }
    const slow = setTimeout(onSlow, TOLD_AFTER_MS).unref()
    const looking = setInterval(look, LOOK_MS).unref()
    channel?.unref()
    process.on('beforeExit', onIdle)
    look()
  })
}

/** Waits until an app file without exports calls listen(). */
import { monotonicMs } from '../../clock.js'
import type { Listening } from './listen.js'

/** Behaviour of a file's last version: it listened, or exported its app. `unknown` at the first load. */
export type Expectation = 'unknown' | 'listens' | 'exports'

/** At the first load: maximum time for a file with pending work. */
const LISTEN_MS = 60_000
/** At a reload pending work may be that of the old code. */
const LISTEN_AGAIN_MS = 10_000
const EXPORTED_MS = 500
/** A slower file is reported. */
const TOLD_AFTER_MS = 5_000
const LOOK_MS = 10
/** If only a server of another protocol keeps the process for this long, no HTTP server will come. */
const ONLY_SERVING_MS = 1_000
/** Resources without a pending callback: standard streams, the channel to a supervisor, followed files. */
const STANDING = /^(TCPServer|Pipe|TTY|FSEvent|StatWatcher|Signal|CloseReq)/

/**
 * Resolves when a server of `heard` listens, or none will: the process has no pending work (timers, sockets, imports,
 * the thread pool), only a server of another protocol keeps it, or the time is over. `onSlow` is called if it takes
 * long.
 */
export function untilListening(
  heard: readonly Listening[],
  expectation: Expectation,
  onSlow: () => void,
): Promise<void> {
  const since = monotonicMs()
  const longest = { unknown: LISTEN_MS, listens: LISTEN_AGAIN_MS, exports: EXPORTED_MS }[expectation]
  // The channel to a supervisor would keep the process alive.
  const channel = process.listenerCount('message') > 0 ? process.channel : undefined
  return new Promise((resolve) => {
    const end = (): void => {
      clearInterval(looking)
      clearTimeout(slow)
      process.off('beforeExit', onIdle)
      channel?.ref()
      resolve()
    }
    // The immediate keeps the process alive until the caller has continued.
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

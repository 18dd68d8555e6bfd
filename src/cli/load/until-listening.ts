/** Waits for an app file that exports nothing to call listen(). */
import { setTimeout as pause } from 'node:timers/promises'
import { monotonicMs } from '../../clock.js'
import type { Listening } from './listen.js'

/** What is known of a file: it is loaded for the first time, or the one before it listened, or exported its app. */
export type Expectation = 'unknown' | 'listens' | 'exports'

/** At the first load: how long a file may take while something of it is under way. */
const LISTEN_MS = 60_000
/** At a reload other things are under way, too: those of the code before. */
const LISTEN_AGAIN_MS = 10_000
/** Without anything under way for so long, nothing will come. */
const IDLE_MS = 500
const LOOK_MS = 10
/** A file that takes longer than this is named. */
const TOLD_AFTER_MS = 5_000

/**
 * Resources that a process always has: its standard streams, the channel to its supervisor, followed files, servers that listen. All others have a
 * callback still to come: timers, sockets, files, and the port to the loader's thread (MessagePort) while an import() is under way.
 */
const STANDING = /^(Pipe|TTY|FSEvent|StatWatcher|Signal|CloseReq|TCPServer)/

/** Resolves when a server of `heard` listens, or when none will. `onSlow` is called if that takes long. */
export async function untilListening(
  heard: readonly Listening[],
  expectation: Expectation,
  onSlow: () => void,
): Promise<void> {
  const since = monotonicMs()
  const slow = setTimeout(onSlow, TOLD_AFTER_MS).unref()
  const longest = expectation === 'unknown' ? LISTEN_MS : expectation === 'listens' ? LISTEN_AGAIN_MS : IDLE_MS
  const none = (): boolean => !heard.some(({ server }) => server.listening)
  for (let idle = 0; none() && idle < IDLE_MS && monotonicMs() - since < longest; idle += LOOK_MS) {
    await pause(LOOK_MS)
    if (!process.getActiveResourcesInfo().every((type) => STANDING.test(type))) idle = 0
  }
  clearTimeout(slow)
}

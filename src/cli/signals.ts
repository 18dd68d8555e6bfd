/**
 * Stops on SIGTERM and SIGINT: the first drains, the second ends at once. The app's own listeners run after the drain.
 */
import { constants } from 'node:os'
import { controlOf } from '../control.js'
import type { Logger } from '../log.js'
import type { Space } from '../space.js'
import type { ServiceManager } from './service-manager.js'

const EXIT_CUT_SHORT = 1
const SIGNALS = ['SIGTERM', 'SIGINT'] as const
type StopSignal = (typeof SIGNALS)[number]

export interface Stopping {
  /** Drains; called once. */
  stop(): Promise<void>
  /** Ends child processes at once; this process exits right after it. */
  now?(): void
}

/**
 * For most commands: reports that the process is ready; at a signal, or at the order of an operator, the space stops what was
 * created on it, and closes.
 */
export function closeOnSignal(space: Space, logger: Logger, manager: ServiceManager | undefined): void {
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    manager?.stopping()
    logger.info({}, 'stopping')
    await space.close()
    logger.info({}, 'stopped')
  }
  const stop = (): Promise<void> => (closing ??= close())
  controlOf(space).onStop = stop
  stopOnSignal({ stop })
  manager?.ready()
}

/** The first signal drains; after that the process has nothing left to do and ends. A second one ends it at once. */
export function stopOnSignal({ stop, now }: Stopping): void {
  let stopping = false
  const onSignal = (): void => {
    if (stopping) {
      now?.()
      process.exit(EXIT_CUT_SHORT)
    }
    stopping = true
    stop().catch((error) => {
      process.stderr.write(`takespace: ${error instanceof Error ? error.message : error}\n`)
      process.exit(EXIT_CUT_SHORT)
    })
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  onParentExit(onSignal)
}

const PARENT_LOOK_MS = 250

/** npx ends on a signal without passing it on; its child sees that its parent has changed. */
export function onParentExit(listener: () => void): void {
  if (process.env.npm_command !== 'exec') return
  const parent = process.ppid
  const looking = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(looking)
    listener()
  }, PARENT_LOOK_MS).unref()
}

/**
 * Hides SIGTERM and SIGINT from all other listeners until `release()`: an app closes its database on them (Nest's
 * shutdown hooks), which its requests still need. To be called before anything listens to them.
 */
export function holdSignals(listener: (signal: StopSignal) => void): { release(withinMs: number): void } {
  const emit = process.emit as (name: string | symbol, ...args: unknown[]) => boolean
  const isHeld = (name: string | symbol): name is StopSignal => (SIGNALS as readonly unknown[]).includes(name)
  let last: StopSignal = 'SIGTERM'
  // Node.js binds `emit` when the first listener is added.
  const held = (name: string | symbol, ...args: unknown[]): boolean => {
    if (!isHeld(name)) return emit.call(process, name, ...args)
    last = name
    listener(name)
    return true
  }
  process.emit = held as typeof process.emit
  const none = (): void => {}
  const exit = (): never => process.exit(0)
  for (const signal of SIGNALS) process.on(signal, none)
  return {
    /**
     * Passes the last signal to the app's listeners, or the other one if they listen to that alone. The process exits
     * with 0 at once without listeners, when a listener sends the signal to its own process again, or after `withinMs`.
     */
    release(withinMs) {
      listener = exit
      setTimeout(exit, withinMs).unref()
      for (const signal of SIGNALS) process.off(signal, none)
      const heard = [last, ...SIGNALS].find((signal) => process.listenerCount(signal) > 0)
      if (heard) emit.call(process, heard, heard, constants.signals[heard])
      // Otherwise a listener that sends the signal to its own process again, as many do, would end it as killed.
      for (const signal of SIGNALS) process.on(signal, none)
      if (!heard) exit()
    },
  }
}

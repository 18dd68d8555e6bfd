/** Stopping on SIGTERM and SIGINT: the first drains, the second ends at once. */
import type { Logger } from '../log.js'
import type { Space } from '../space.js'

const EXIT_CUT_SHORT = 1

export interface Stopping {
  /** Drains. It is called once. */
  stop(): Promise<void>
  /** What is to be ended with this process when there is no more patience. */
  now?(): void
}

/** As most commands do: the space stops what was created on it, and closes. */
export const closeOnSignal = (space: Space, logger: Logger): void =>
  stopOnSignal({
    async stop() {
      logger.info({}, 'stopping')
      await space.close()
      logger.info({}, 'stopped')
    },
  })

/** Whoever is told twice means it. After a clean drain the process has nothing left to do, and ends by itself. */
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
}

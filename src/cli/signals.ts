/** Stopping on SIGTERM and SIGINT: the first drains, the second ends at once. */

const EXIT_CUT_SHORT = 1

export interface Stopping {
  /** Drains. It is called once. */
  stop(): Promise<void>
  /** What is to be ended with this process when there is no more patience. */
  now?(): void
}

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

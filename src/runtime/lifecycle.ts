/** Start and stop of services: both are idempotent, and a call during a change waits for it. */

export interface Service {
  /** Resolves when it runs. A second call returns the first one's promise; a failed start may be tried again. */
  start(): Promise<void>
  /** Resolves when it has stopped, within its own bound. Stopping what never started does nothing. */
  stop(): Promise<void>
}

/** Something that a space stops before it closes: a gateway, a worker, a keepAlive. */
export interface Stoppable {
  stop(): Promise<void> | void
}

/** Makes a Service of two functions, which are called at most once at a time and in order. */
export function service(onStart: () => Promise<void>, onStop: () => Promise<void>): Service {
  let starting: Promise<void> | undefined
  let stopping: Promise<void> | undefined

  const start = (): Promise<void> => {
    starting ??= onStart().catch((error) => {
      starting = undefined
      throw error
    })
    return starting
  }

  const stopOnce = async (): Promise<void> => {
    const started = await starting?.then(
      () => true,
      () => false,
    )
    if (started) await onStop()
  }

  const stop = (): Promise<void> => {
    stopping ??= stopOnce()
    return stopping
  }

  return { start, stop }
}

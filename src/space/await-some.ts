/** Waits for the matches of several templates: a search is repeated whenever there may be one, until it has found some. */
import { Wait } from '../runtime/wait.js'

export interface AwaitedSearch<T> {
  /** Returns what is there; does not wait. */
  search(): Promise<T[]>
  /** Calls `onChange` whenever there may be a match, until the returned function is called or the wait is over. */
  watch(onChange: () => void): Promise<() => void>
}

/** Returns what the first search finds that finds something; [] at the end of the wait. */
export async function awaitSome<T>(
  { search, watch }: AwaitedSearch<T>,
  waitMs: number,
  signal: AbortSignal | undefined,
): Promise<T[]> {
  const there = await search()
  if (there.length > 0 || waitMs <= 0) return there
  signal?.throwIfAborted()
  const wait = new Wait<T[]>()
  let searching: Promise<void> | undefined
  let again = false
  const onChange = (): void => {
    again = true
    searching ??= (async () => {
      while (again && !wait.settled) {
        again = false
        const found = await search()
        if (found.length > 0) wait.resolve(found)
      }
    })()
      .catch((error) => wait.reject(error))
      .finally(() => {
        searching = undefined
        if (again && !wait.settled) onChange()
      })
  }
  // A find that is under way when the wait ends is returned: a take is final.
  const end = (settle: () => void) => () => void (searching ?? Promise.resolve()).then(settle)
  const onAbort = end(() => wait.reject(signal?.reason))
  wait.until(
    waitMs,
    end(() => wait.resolve([])),
    signal,
    onAbort,
  )
  const unwatch = watch(onChange)
  unwatch.then(onChange, (error) => wait.reject(error))
  try {
    return await wait.promise
  } finally {
    void unwatch.then((stop) => stop()).catch(() => {})
  }
}

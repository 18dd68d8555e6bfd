/** Forces garbage collections. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options?: { readonly type: 'minor' }) => void

let made: Collect | undefined | false

/** Collects all garbage; the process does nothing else meanwhile. Returns false if this runtime cannot be made to. */
export const collectGarbage = (): boolean => collect()

/**
 * Collects young garbage, in about a millisecond. Buffers of passing bytes are young garbage, but lie outside of the heap:
 * V8 sees the memory of its small objects grow and collects all, for ten times as long and on several threads. Returns
 * false if this runtime cannot be made to.
 */
export const collectYoungGarbage = (): boolean => collect({ type: 'minor' })

function collect(options?: { readonly type: 'minor' }): boolean {
  if (made === false) return false
  try {
    made ??= (globalThis as { gc?: Collect }).gc ?? exposed()
    made(options)
    return true
  } catch {
    made = false
    return false
  }
}

/** V8 adds `gc` to contexts that are made while the flag is set: the app's own global object stays without it. */
function exposed(): Collect {
  setFlagsFromString('--expose-gc')
  try {
    return runInNewContext('gc')
  } finally {
    setFlagsFromString('--no-expose-gc')
  }
}

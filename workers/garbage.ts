/** Forces a garbage collection. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Collects all garbage; the process does nothing else meanwhile. Returns false if this runtime cannot be made to. */
export function collectGarbage(): boolean {
  try {
    const own = (globalThis as { gc?: () => void }).gc
    if (own) own()
    else exposed()()
    return true
  } catch {
    return false
  }
}

/** V8 adds `gc` to contexts that are made while the flag is set: the app's own global object stays without it. */
function exposed(): () => void {
  setFlagsFromString('--expose-gc')
  try {
    return runInNewContext('gc')
  } finally {
    setFlagsFromString('--no-expose-gc')
  }
}

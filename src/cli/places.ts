/** Where the files of this package are that are started or read by their path. */

const at = (path: string): URL => new URL(path, import.meta.url)

/** The folder of the compiled package. */
export const OURSELVES: URL = at('../../')
/** The command. */
export const PROGRAM: URL = at('./main.js')
/** The code of the loader's thread. */
export const HOOKS: URL = at('./load/hooks.js')
/** The code of the thread that inspects a blocked event loop. */
export const BLOCKED_LOOP_INSPECTOR: URL = at('./supervisor/blocked-loop-inspector.js')

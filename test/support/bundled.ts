/** Programs of tests that use inner parts of src, as one file of JavaScript: it starts in a tenth of the time that a transpiler takes. */
import { execFile } from 'node:child_process'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** In a process of its own: the bundler does not run inside Jest's. */
const BUNDLE = fileURLToPath(new URL('bundle.mjs', import.meta.url))

/** Returns the path of the file. Below the root, since it imports the same packages. */
export async function bundled(source: string): Promise<string> {
  const file = join(ROOT, '.cache', 'programs', basename(source).replace(/\.ts$/, '.js'))
  await promisify(execFile)(process.execPath, [BUNDLE, source, file])
  return file
}

/** Makes the app file the main module of its process, as under `node app.js`: many start their server only then. */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/**
 * Sets `process.argv` as for `node <path>`, and `require.main` of CommonJS modules to that file's module (undefined for
 * an ES module, as in Node.js). `path` is absolute and without symbolic links.
 */
export function becomeMain(path: string): void {
  process.argv.splice(1, process.argv.length - 1, path)
  // Node.js copies `process.mainModule` to `require.main` when it compiles a module, which is then in its cache.
  Object.defineProperty(process, 'mainModule', { configurable: true, get: () => require.cache[path] })
}

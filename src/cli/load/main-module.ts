/** Makes the app file the main module of its process, as under `node app.js`: many start their server only if they are. */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/**
 * From now on `process.argv` is that of `node <path>`, and `require.main` of each CommonJS module is that file's module (undefined for an ES
 * module, as in Node). `path` is absolute and without symbolic links.
 */
export function becomeMain(path: string): void {
  process.argv.splice(1, process.argv.length - 1, path)
  // Node sets `require.main` from `process.mainModule` when it compiles a module, and has the module in its cache by then.
  Object.defineProperty(process, 'mainModule', { configurable: true, get: () => require.cache[path] })
}

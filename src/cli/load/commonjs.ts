/** TypeScript and JSX for `require()`: adds file endings and import rules to Node's CommonJS loader. */
import Module, { createRequire } from 'node:module'
import { findFile, targetsOf } from './find-file.js'
import { transpile } from './transpile.js'

interface Loader {
  _resolveFilename(request: string, parent: { readonly filename?: string } | undefined, ...rest: unknown[]): string
  _extensions: Record<string, (module: { _compile(code: string, path: string): void }, path: string) => void>
}

/**
 * To be called once. `onResolved` is called with the path of each required file, also of a missing one. Node.js does
 * not document these functions; all TypeScript loaders use them.
 */
export function extendRequire(onResolved: (path: string) => void): void {
  const loader = Module as unknown as Loader
  const resolveFilename = loader._resolveFilename
  loader._resolveFilename = (request, parent, ...rest) => {
    const found = parent?.filename ? findFile(request, parent.filename) : undefined
    try {
      const path = found ?? resolveFilename.call(loader, request, parent, ...rest)
      onResolved(path)
      return path
    } catch (error) {
      if (parent?.filename) targetsOf(request, parent.filename).forEach(onResolved)
      throw error
    }
  }
  for (const ending of ['.ts', '.tsx', '.cts', '.mts', '.jsx']) {
    loader._extensions[ending] = (module, path) => module._compile(transpile(path, true).code, path)
  }
}

const require = createRequire(import.meta.url)

/** Returns true if Node took the file for CommonJS. */
export const isRequired = (path: string): boolean => require.cache[path] !== undefined

/** Makes the next `require()` of these files evaluate them again. */
export function forgetRequired(test: (path: string) => boolean): void {
  for (const path of Object.keys(require.cache)) if (test(path)) delete require.cache[path]
}

export const requireFile = (path: string): unknown => require(path)

/** TypeScript and JSX for `require()`: Node's own loader of CommonJS learns the endings and the rules for imports. */
import Module, { createRequire } from 'node:module'
import { findFile, targetsOf } from './find-file.js'
import { transpile } from './transpile.js'

interface Loader {
  _resolveFilename(request: string, parent: { readonly filename?: string } | undefined, ...rest: unknown[]): string
  _extensions: Record<string, (module: { _compile(code: string, path: string): void }, path: string) => void>
}

/** Call it once; `onResolved` is told the path of each file that is required, also of one that is missing. Node documents neither function, and all loaders of TypeScript use both. */
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

/** Has the next `require()` of these files evaluate them anew. */
export function forgetRequired(test: (path: string) => boolean): void {
  for (const path of Object.keys(require.cache)) if (test(path)) delete require.cache[path]
}

export const requireFile = (path: string): unknown => require(path)

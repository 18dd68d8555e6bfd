/**
 * Hooks of Node's ES module loader: import rules of TypeScript, transpiled sources, new URLs for the app's files at a
 * reload. They run in Node's loader thread, or in the main thread if Node.js has `registerHooks`; so they are
 * synchronous unless Node's own are not.
 */
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { MessagePort } from 'node:worker_threads'
import { OURSELVES } from '../places.js'
import { findFile, targetsOf } from './find-file.js'
import { isFile } from './project.js'
import { TRANSPILED, type Transpiled, transpile } from './transpile.js'

interface Context {
  readonly conditions?: readonly string[]
  readonly parentURL?: string | undefined
  readonly importAttributes?: Readonly<Record<string, string>>
}
interface Resolved {
  readonly url: string
  readonly shortCircuit?: boolean
}
interface LoadedModule {
  readonly format: string
  readonly source?: unknown
  readonly shortCircuit?: boolean
}
type Next<R> = (subject: string, context?: Context) => R | Promise<R>

let tell: (path: string) => void = () => {}

/** `port` is sent the path of each file of the app. */
export function initialize({ port }: { readonly port: MessagePort }): void {
  tell = (path) => port.postMessage(path)
}
/** The same for hooks in the main thread. */
export function onLoaded(listener: (path: string) => void): void {
  tell = listener
}

/** This package is not reloaded: the app and the worker must share `currentRequest`. */
const ourselves = OURSELVES.href

/** Returns true if a module belongs to the app: a file of the user's, outside of packages. */
export const isOwn = (url: string): boolean =>
  url.startsWith('file:') && !url.includes('/node_modules/') && !url.startsWith(ourselves)

/** Returns the same for a path. */
export const isOwnFile = (path: string): boolean => isOwn(pathToFileURL(path).href)

/** With `registerHooks` they are also called for require(), which commonjs.ts handles. */
const isRequire = ({ conditions }: Context): boolean => conditions?.includes('require') === true

export function resolve(specifier: string, context: Context, next: Next<Resolved>): Resolved | Promise<Resolved> {
  const { parentURL } = context
  if (isRequire(context)) return next(specifier, context)
  const found = parentURL?.startsWith('file:') ? findFile(specifier, fileURLToPath(parentURL)) : undefined
  if (found) return fresh({ url: pathToFileURL(found).href, shortCircuit: true }, parentURL)
  return then(resolving(), (resolved) => fresh(resolved, parentURL))

  function resolving(): Resolved | Promise<Resolved> {
    try {
      const resolved = next(specifier, context)
      return resolved instanceof Promise ? resolved.catch(missing) : resolved
    } catch (error) {
      return missing(error)
    }
  }
  /** A missing file may come. */
  function missing(error: unknown): never {
    if (parentURL !== undefined && isOwn(parentURL)) targetsOf(specifier, fileURLToPath(parentURL)).forEach(tell)
    throw error
  }
}

const GENERATION = /\?takespace=\d+$/

/** Node.js caches an ES module by its URL, so a reloaded file gets a new one. */
function fresh(resolved: Resolved, parentURL: string | undefined): Resolved {
  if (!isOwn(resolved.url)) return resolved
  tell(fileURLToPath(resolved.url))
  const generation = parentURL?.match(GENERATION)?.[0]
  return generation && !resolved.url.includes('?') ? { ...resolved, url: resolved.url + generation } : resolved
}

/**
 * Sets `import.meta.url` to the file's own URL: programs compare it with their main file. On the first line, so that
 * line numbers stay.
 */
function underOwnUrl(url: string, source: string): string {
  const own = url.replace(GENERATION, '')
  if (own === url || !/\bargv\b/.test(source)) return source
  return `import.meta.url=${JSON.stringify(own)};${source.replace(/^#!/, '//')}`
}

function withOwnUrl(url: string, loaded: LoadedModule): LoadedModule {
  if (loaded.format !== 'module' || loaded.source === null || loaded.source === undefined) return loaded
  const { source } = loaded
  const text = typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString()
  return { ...loaded, source: underOwnUrl(url, text) }
}

export function load(url: string, context: Context, next: Next<LoadedModule>): LoadedModule | Promise<LoadedModule> {
  const path = url.startsWith('file:') ? fileURLToPath(url) : ''
  if (isRequire(context)) return next(url, context)
  if (path.endsWith('.json') && isOwn(url) && !context.importAttributes?.type) {
    // TypeScript imports JSON without an import attribute.
    return next(url, { ...context, importAttributes: { ...context.importAttributes, type: 'json' } })
  }
  if (!TRANSPILED.test(path) || !isFile(path)) {
    const loaded = next(url, context)
    return GENERATION.test(url) ? then(loaded, (module) => withOwnUrl(url, module)) : loaded
  }
  const transpiled = transpile(path)
  const source = transpiled.format === 'module' ? underOwnUrl(url, transpiled.code) : facade(path, transpiled)
  return { format: 'module', source, shortCircuit: true }
}

/** Returns an ES module that re-exports a CommonJS file: Node.js finds the names of its exports only in JavaScript. */
function facade(path: string, { names, reexports }: Transpiled): string {
  return [
    "import { createRequire } from 'node:module'",
    `const exported = createRequire(${JSON.stringify(path)})(${JSON.stringify(path)})`,
    'export default exported',
    ...reexports.map((from) => `export * from ${JSON.stringify(from)}`),
    ...names.map((name, i) => `const $${i} = exported.${name}; export { $${i} as ${name} }`),
    // Distinguishes it in stacks from the app's own files.
    '//# sourceURL=takespace:facade',
  ].join('\n')
}

const then = <T, R>(value: T | Promise<T>, map: (value: T) => R): R | Promise<R> =>
  value instanceof Promise ? value.then(map) : map(value)

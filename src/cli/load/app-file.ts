/** Loads an app file, and reloads it when it has changed: by its exports, or by the http.Server on which it listens. */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SpaceError } from '../../errors.js'
import { forgetRequired, isRequired, requireFile } from './commonjs.js'
import { closeOf, type Exports, type LoadedApp, servedBy } from './exports.js'
import { isOwnFile } from './hooks.js'
import { interceptListen, type Listening } from './listen.js'
import { becomeMain } from './main-module.js'
import { above, forgetProjects, isFile } from './project.js'
import { registerHooks } from './register.js'
import { TRANSPILED } from './transpile.js'
import { type Expectation, untilListening } from './until-listening.js'
import { reasonIn, whereFailed } from './where.js'

export interface LoadOptions {
  /**
   * `app`: an http.Server that listens while the file loads is the app and opens no port. `keep`: it opens its port.
   */
  readonly listen: 'app' | 'keep'
  /** True reports the app's files to `onImport`; needs a thread if Node.js has no hooks in the main thread. */
  readonly followed?: boolean
  /** Called with a line about `listen()`. */
  readonly tell: (line: string) => void
}

/** Number of reloads in this process. The first load is as under `node app.js`. */
let generation = 0
/** Files that are CommonJS; after a failed load they are no longer in the cache. */
const commonJs = new Set<string>()
/** True if the file was last served by the server on which it listens. */
let listened = false

/**
 * Returns the app, the tasks and `close` of the file. Throws APP_FILE_MISSING (with the file's error as its cause),
 * APP_SHAPE_UNKNOWN for a factory, or APP_NOT_EXPORTED if it neither exports an app or tasks nor listens.
 */
export function loadApp<App>(file: string, options: LoadOptions): Promise<LoadedApp<App>> {
  return loadWith(file, options, 'unknown', async (path) => {
    if (options.followed || isTypeScript(path)) registerHooks(isTypeScript(path))
    const module = await imported(pathToFileURL(path).href).catch((error) => {
      if (!meetsTypeScript(error)) throw error
      registerHooks(true)
      // Node.js remembers the failure of the first address.
      return imported(nextGeneration(path))
    })
    if (isRequired(path)) commonJs.add(path)
    return module
  })
}

const imported = (url: string): Promise<Exports> => import(url)

/**
 * Node.js caches an ES module by its URL for ever, so a reload needs a new URL. The hooks give its imports the same
 * suffix.
 */
const nextGeneration = (path: string): string => `${pathToFileURL(path).href}?takespace=${++generation}`

/** How Node.js fails at TypeScript: up to 22.17 at its extension, since then at what it does not strip or find. */
const MET: Readonly<Record<string, RegExp>> = {
  ERR_UNKNOWN_FILE_EXTENSION: /"\.([cm]?ts|tsx|jsx)"/,
  ERR_MODULE_NOT_FOUND: /imported from .*\.([cm]?ts|tsx|jsx)$/,
  ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX: /./,
  ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING: /./,
}

/** JavaScript may import a TypeScript package of its workspace. */
const meetsTypeScript = (error: { code?: unknown; message?: unknown } | undefined): boolean =>
  MET[String(error?.code)]?.test(String(error?.message)) === true

/** Loads the app file again, and the files of the app that it imports, without packages. */
export function reloadApp<App>(file: string, options: LoadOptions): Promise<LoadedApp<App>> {
  return loadWith(file, options, listened ? 'listens' : 'exports', async (path) => {
    forgetProjects()
    forgetRequired(isOwnFile)
    registerHooks(isTypeScript(path))
    if (commonJs.has(path) && !TRANSPILED.test(path)) return { default: requireFile(path) }
    return imported(nextGeneration(path))
  })
}

async function loadWith<App>(
  file: string,
  { listen, tell }: LoadOptions,
  expectation: Expectation,
  evaluate: (path: string) => Promise<Exports>,
): Promise<LoadedApp<App>> {
  const path = resolve(file)
  if (!existsSync(path)) throw new SpaceError('APP_FILE_MISSING', `There is no ${path}.`)
  if (!isFile(path)) throw new SpaceError('APP_FILE_MISSING', `${path} is a folder: name the app file in it.`)
  const heard: Listening[] = []
  const onListen = (each: Listening): void => {
    heard.push(each)
    tell(`listen() on ${each.where} opens no port: the gateway listens. (--listen keep opens it.)`)
  }
  const release = listen === 'app' ? interceptListen(onListen) : (): void => {}
  let exportedApp: unknown
  try {
    // Caches use real paths.
    const main = realpathSync(path)
    becomeMain(main)
    const served = await failing(file, async () => servedBy<App>(file, await evaluate(main)))
    const exported = served.app !== undefined || served.tasks !== undefined
    // Most files listen after an await: Nest creates its app, others connect to a database first.
    if (!exported && listen === 'app')
      await untilListening(heard, expectation, () => tell(`${file} exports no app: waiting for it to listen()`))
    exportedApp = served.app
    if (exported) return served
    const server = heard.find((each) => each.server.listening)?.server
    if (!server) throw new SpaceError('APP_NOT_EXPORTED', `(In CommonJS: module.exports = app.) The file is ${file}.`)
    listened = true
    return { ...served, app: server as App, close: served.close ?? closeOf(server) }
  } finally {
    release(exportedApp)
  }
}

/** The error of an app file; `where` holds the lines below its message. */
export class AppFileError extends SpaceError {
  readonly where: readonly string[]

  constructor(file: string, said: string, where: readonly string[], cause: unknown) {
    super('APP_FILE_MISSING', `${file} failed while it was loaded: ${said}`, { cause })
    this.where = where
  }
}

async function failing<T>(file: string, evaluate: () => Promise<T>): Promise<T> {
  try {
    return await evaluate()
  } catch (cause) {
    if (cause instanceof SpaceError) throw cause
    throw new AppFileError(file, reasonIn(cause), whereFailed(cause, file), cause)
  }
}

/**
 * Returns true if the file or its project is TypeScript: JavaScript that imports TypeScript has a tsconfig beside or
 * below its package.json.
 */
function isTypeScript(path: string): boolean {
  if (TRANSPILED.test(path)) return true
  const has = (name: string) => (folder: string) => existsSync(join(folder, name))
  const home = above(dirname(path), (folder) => has('tsconfig.json')(folder) || has('package.json')(folder))
  return home !== undefined && has('tsconfig.json')(home)
}

/** Loads an app file, and loads it anew when it has changed: by its exports, or by the http.Server on which it listens. */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { monotonicMs } from '../../clock.js'
import { SpaceError } from '../../errors.js'
import { forgetRequired, isRequired, requireFile } from './commonjs.js'
import { closeOf, type Exports, type Served, servedBy } from './exports.js'
import { isOwn } from './hooks.js'
import { interceptListen, type Listening } from './listen.js'
import { above, forgetProjects } from './project.js'
import { registerHooks } from './register.js'
import { TRANSPILED } from './transpile.js'
import { whereFailed } from './where.js'

export interface LoadOptions {
  /** `app`: an http.Server that listens while the file loads is the app, and opens no port. `keep`: it opens its port. */
  readonly listen: 'app' | 'keep'
  /** Whether `onImport` hears of its files; needs a thread where Node has no hooks in the main one. */
  readonly followed?: boolean
  /** Is told in one line what became of `listen()`. */
  readonly tell: (line: string) => void
}

/** How often a file was loaded anew in this process. The first time nothing is special: a worker runs the file as `node app.js` would. */
let generation = 0
/** The files that turned out to be CommonJS; they leave the cache when a load fails, and would be told no longer. */
const commonJs = new Set<string>()

/**
 * Returns what the file gives. Throws APP_FILE_MISSING (with the error of the file as its cause), APP_SHAPE_UNKNOWN for a factory, or APP_NOT_EXPORTED if it
 * neither exports an app or tasks nor listens.
 */
export function loadApp<App>(file: string, options: LoadOptions): Promise<Served<App>> {
  return load(file, options, async (path) => {
    if (options.followed || isTypeScript(path)) registerHooks(isTypeScript(path))
    const module: Exports = await import(pathToFileURL(path).href)
    if (isRequired(path)) commonJs.add(path)
    return module
  })
}

/** The same from what the files say now: the app file and all of the app that it imports, packages left out. */
export function reloadApp<App>(file: string, options: LoadOptions): Promise<Served<App>> {
  return load(file, options, async (path) => {
    forgetProjects()
    forgetRequired((each) => isOwn(pathToFileURL(each).href))
    registerHooks(isTypeScript(path))
    if (commonJs.has(path) && !TRANSPILED.test(path)) return { default: requireFile(path) }
    // An ES module stays known under its address for ever; a new address is the only way. What it imports gets the same by the hooks.
    return import(`${pathToFileURL(path).href}?takespace=${++generation}`)
  })
}

async function load<App>(
  file: string,
  { listen, tell }: LoadOptions,
  evaluate: (path: string) => Promise<Exports>,
): Promise<Served<App>> {
  const path = resolve(file)
  if (!existsSync(path)) throw new SpaceError('APP_FILE_MISSING', `There is no ${path}.`)
  const heard: Listening[] = []
  const onListen = (each: Listening): void => {
    heard.push(each)
    tell(`listen() on ${each.where} opens no port: the gateway listens. (--listen keep opens it.)`)
  }
  const release = listen === 'app' ? interceptListen(onListen) : (): void => {}
  let exportedApp: unknown
  try {
    // The caches know files by their real names.
    const served = await failing(file, async () => servedBy<App>(file, await evaluate(realpathSync(path))))
    const exported = served.app !== undefined || served.tasks !== undefined
    // Most files start listening after an await: Nest creates its app, others connect to a database first.
    if (!exported && listen === 'app')
      await untilOne(heard, () => tell(`${file} exports no app: waiting for it to listen()`))
    exportedApp = served.app
    if (exported) return served
    const server = heard[0]?.server
    if (!server) throw new SpaceError('APP_NOT_EXPORTED', `The file is ${file}.`)
    return { ...served, app: server as App, close: served.close ?? closeOf(server) }
  } finally {
    release(exportedApp)
  }
}

/** How long a file may take from its end to its `listen()`, while something of it is under way. */
const LISTEN_MS = 60_000
/** Without anything under way for so long, nothing will come. Work of the thread pool (hashes, keys, native packages) cannot be seen and has this time. */
const IDLE_MS = 1_000
const LOOK_MS = 10

/**
 * Resources that a process always has: its standard streams, the channel to its supervisor, followed files. All others have a callback still to
 * come: timers, sockets, files, and the port to the loader's thread (MessagePort) while an import() is under way.
 */
const STANDING = /^(Pipe|TTY|FSEvent|StatWatcher|Signal|CloseReq)/
/** A file that takes longer than this to listen is named. */
const TOLD_AFTER_MS = 5_000

async function untilOne(heard: readonly Listening[], onSlow: () => void): Promise<void> {
  const since = monotonicMs()
  const slow = setTimeout(onSlow, TOLD_AFTER_MS).unref()
  for (let idle = 0; heard.length === 0 && idle < IDLE_MS && monotonicMs() - since < LISTEN_MS; idle += LOOK_MS) {
    await pause(LOOK_MS)
    if (!process.getActiveResourcesInfo().every((type) => STANDING.test(type))) idle = 0
  }
  clearTimeout(slow)
}

/** An app file that failed: its message has one line, `where` those below it. */
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
    const said = cause instanceof Error ? cause.message : String(cause)
    const where = whereFailed(cause, file)
    throw new AppFileError(file, said, where, cause)
  }
}

/** Whether the file or its project is TypeScript: JavaScript that imports TypeScript has a tsconfig beside its package.json or below it. */
function isTypeScript(path: string): boolean {
  if (TRANSPILED.test(path)) return true
  const has = (name: string) => (folder: string) => existsSync(join(folder, name))
  const home = above(dirname(path), (folder) => has('tsconfig.json')(folder) || has('package.json')(folder))
  return home !== undefined && has('tsconfig.json')(home)
}

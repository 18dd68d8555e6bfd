/** Loads an app file, and loads it anew when it has changed: what it exports as default or as `app`, and as `tasks`. */
import { existsSync, realpathSync } from 'node:fs'
import { createRequire, register } from 'node:module'
import { dirname, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Task } from '../../workers/index.js'
import { SpaceError } from '../errors.js'

const require = createRequire(import.meta.url)
const TYPESCRIPT = /\.[cm]?ts$/

/** How often anything was loaded anew in this process. The first time nothing is special, so that a worker runs as `node app.js` would. */
let generation = 0
/** The files that turned out to be CommonJS; they leave the cache when a load fails, and would be told no longer. */
const commonJs = new Set<string>()

/** What a worker is made of: an app, tasks, or both. */
export interface Served<App> {
  readonly app: App | undefined
  readonly tasks: Readonly<Record<string, Task>> | undefined
}

/** @throws SpaceError APP_FILE_MISSING, APP_NOT_EXPORTED with the line to add */
export function loadApp<App>(file: string): Promise<Served<App>> {
  return load(file, async (path) => {
    if (TYPESCRIPT.test(path)) return byJiti(path)
    const module: Exports = await import(pathToFileURL(path).href)
    if (require.cache[path]) commonJs.add(path)
    return module
  })
}

/** The same from what the files say now: the app file and all that it imports from its folder, packages left out. */
export function reloadApp<App>(file: string): Promise<Served<App>> {
  return load(file, async (path) => {
    forgetAll(dirname(path))
    if (TYPESCRIPT.test(path)) return byJiti(path)
    if (commonJs.has(path)) return { default: require(path) }
    // An ES module stays known under its address for ever; a new address is the only way. What it imports gets the same by the hook.
    const folder = `${pathToFileURL(dirname(path)).href}/`
    if (generation++ === 0) register('./fresh-modules.js', import.meta.url, { data: { folder } })
    return import(`${pathToFileURL(path).href}?takespace=${generation}`)
  })
}

async function load<App>(file: string, evaluate: (path: string) => Promise<Exports>): Promise<Served<App>> {
  const path = resolve(file)
  if (!existsSync(path)) throw new SpaceError('APP_FILE_MISSING', `There is no ${path}.`)
  let module: Exports
  try {
    // The caches know files by their real names.
    module = await evaluate(realpathSync(path))
  } catch (cause) {
    throw new SpaceError('APP_FILE_MISSING', `${file} failed while it was loaded.`, { cause })
  }
  const app = exported(module) as App | undefined
  const tasks = module.tasks ?? (module.default as Exports | undefined)?.tasks
  if (app === undefined && !isTasks(tasks))
    throw new SpaceError('APP_NOT_EXPORTED', `(In CommonJS: module.exports = app.) The file is ${file}.`)
  return { app, tasks: isTasks(tasks) ? tasks : undefined }
}

/** Loaded only for those who write TypeScript. */
const byJiti = async (path: string): Promise<Exports> => (await import('./typescript.js')).importTypeScript(path)

function forgetAll(folder: string): void {
  for (const path of Object.keys(require.cache)) {
    if (path.startsWith(folder + sep) && !path.slice(folder.length).includes(`${sep}node_modules${sep}`)) {
      delete require.cache[path]
    }
  }
}

interface Exports {
  readonly default?: unknown
  readonly app?: unknown
  readonly tasks?: unknown
}

/** What else is wrong with them, createWorker says. */
const isTasks = (value: unknown): value is Record<string, Task> => typeof value === 'object' && value !== null

/** CommonJS reaches us as the default of a module; compiled from ESM it has, there, a default of its own. */
function exported(module: Exports): unknown {
  const outer = module.default as (Exports & { readonly __esModule?: boolean }) | undefined
  const inner = outer?.__esModule ? outer.default : outer
  if (isApp(inner)) return inner
  return [module.app, outer?.app].find(isApp)
}

/** `module.exports` that nobody set is an empty object; with named exports it is no app either, unless it can do what apps do. */
function isApp(value: unknown): boolean {
  if (value === null || value === undefined) return false
  const plain = typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype
  return !plain || 'fetch' in value || 'routing' in value || 'handler' in value
}

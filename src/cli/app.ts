/** Loads an app file: what it exports as default or as `app`. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SpaceError } from '../errors.js'

/** @throws SpaceError APP_FILE_MISSING, APP_NOT_EXPORTED with the line to add */
export async function loadApp<App>(file: string): Promise<App> {
  const path = resolve(file)
  if (!existsSync(path)) throw new SpaceError('APP_FILE_MISSING', `There is no ${path}.`)
  let module: Exports
  try {
    module = await import(pathToFileURL(path).href)
  } catch (cause) {
    throw new SpaceError('APP_FILE_MISSING', `${file} failed while it was loaded.`, { cause })
  }
  const app = await exported(module)
  if (app === undefined)
    throw new SpaceError('APP_NOT_EXPORTED', `(In CommonJS: module.exports = app.) The file is ${file}.`)
  return app as App
}

interface Exports {
  readonly default?: unknown
  readonly app?: unknown
}

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

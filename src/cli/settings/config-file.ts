/** The config file: in the current folder, or named; JavaScript, TypeScript or JSON. */
import { existsSync, readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readConfig } from './schema.js'

const NAMES = ['js', 'mjs', 'ts', 'json'].map((ending) => `takespace.config.${ending}`)

export interface Config {
  /** The path as shown to people. */
  readonly file: string
  readonly settings: ReadonlyMap<string, string>
}

/** The name of a config file in the current folder that was not executed. */
export interface NotExecuted {
  readonly notExecuted: string
}

/**
 * Returns the settings of the config file; null without one. `named` is the value of --config. A file that is not named
 * is found by its name in the current folder, which may be anybody's: one of code is executed only if `executes`.
 * Throws an error of one line that names the file.
 */
export async function findConfig(named: string | undefined, executes: boolean): Promise<Config | NotExecuted | null> {
  const file = named ?? NAMES.find((name) => existsSync(name))
  if (file === undefined) return null
  if (named === undefined && !executes && !file.endsWith('.json')) return { notExecuted: file }
  const path = resolve(file)
  if (!existsSync(path)) throw new Error(`There is no config file ${path}.`)
  try {
    return { file: relative('', path) || file, settings: readConfig(await evaluate(path)) }
  } catch (error) {
    throw new Error(`The config file ${file} cannot be used. ${(error as Error).message}`)
  }
}

async function evaluate(path: string): Promise<unknown> {
  if (path.endsWith('.json')) return JSON.parse(readFileSync(path, 'utf8'))
  if (/\.[cm]?ts$/.test(path)) (await import('../load/register.js')).registerHooks(true)
  const module: { readonly default?: unknown } = await import(pathToFileURL(path).href)
  const outer = module.default as { readonly __esModule?: boolean; readonly default?: unknown } | undefined
  return outer?.__esModule ? outer.default : outer
}

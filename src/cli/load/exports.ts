/** Exports of an app file: which of them is the app, its tasks, its `close`. */
import { Server } from 'node:http'
import type { Task } from '../../../workers/index.js'
import { SpaceError } from '../../errors.js'

/** The app, the tasks, or both, that a worker runs. */
export interface LoadedApp<App> {
  readonly app: App | undefined
  readonly tasks: Readonly<Record<string, Task>> | undefined
  /** Ends what the app has opened; to be called once, after the last of its requests. */
  readonly close: (() => unknown) | undefined
}

export interface Exports {
  readonly default?: unknown
  readonly app?: unknown
  readonly createApp?: unknown
  readonly tasks?: unknown
  readonly close?: unknown
}

/**
 * Returns what the file gives; `app` is undefined if it exports none. A promise is awaited, `createApp()` is called.
 * Throws APP_SHAPE_UNKNOWN if the default export is a function without parameters.
 */
export async function servedBy<App>(file: string, module: Exports): Promise<LoadedApp<App>> {
  const outer = module.default as (Exports & { readonly __esModule?: boolean }) | undefined
  const all: readonly (Exports | undefined)[] = [module, outer]
  const named = (name: keyof Exports): unknown => all.map((each) => each?.[name]).find((value) => value !== undefined)
  const isWrapped = outer?.__esModule || (outer?.default !== undefined && !isApp(outer))
  const inner = await settled(isWrapped ? outer.default : outer)
  refuseFactory(file, inner)

  let app = isApp(inner) ? inner : await settled([module.app, outer?.app].find(isApp))
  const createApp = named('createApp')
  if (app === undefined && typeof createApp === 'function') app = await createApp()
  const tasks = named('tasks')
  const close = named('close')
  return {
    app: app as App | undefined,
    tasks: isTasks(tasks) ? tasks : undefined,
    close: typeof close === 'function' ? () => close() : closeOf(app),
  }
}

/** CommonJS has no top-level await. A Fastify app is a promise of itself, too, and is used as it is. */
async function settled(value: unknown): Promise<unknown> {
  const promise = value as { then?: unknown; inject?: unknown } | null | undefined
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return value
  return typeof promise?.then === 'function' && typeof promise.inject !== 'function' ? await value : value
}

/** `module.exports` that nobody set is an empty object; with named exports it is no app either, unless it can do what apps do. */
function isApp(value: unknown): boolean {
  if (value === null || value === undefined) return false
  const plain = typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype
  return !plain || 'fetch' in value || 'routing' in value || 'handler' in value
}

/** createWorker reports tasks that are malformed. */
const isTasks = (value: unknown): value is Record<string, Task> => typeof value === 'object' && value !== null

/** Returns how to close an app: Fastify and others by their `close`, an http.Server that listens by its own. */
export function closeOf(app: unknown): (() => unknown) | undefined {
  if (app instanceof Server) {
    return app.listening ? () => closeServer(app) : undefined
  }
  const { close } = (app ?? {}) as { close?: unknown }
  return typeof close === 'function' ? () => close.call(app) : undefined
}

/** The app's own listener to the signal may close its server as well, and exit with 1 if that fails: its `close()` succeeds from then on. */
async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()))
  server.close = (done) => {
    if (done) process.nextTick(done)
    return server
  }
}

/** A function whose source has an empty list of parameters can be no handler: it sees neither request nor response. */
function refuseFactory(file: string, value: unknown): void {
  if (typeof value !== 'function' || value.length > 0 || 'fetch' in value || 'routing' in value) return
  const source = Function.prototype.toString.call(value)
  const takesNothing = /^(?:async\s+)?(?:function\b\s*\*?\s*[\w$]*\s*|[\w$]+\s*)?\(\s*\)/.test(source)
  if (!takesNothing || source.includes('[native code]') || /\barguments\b/.test(source)) return
  throw new SpaceError(
    'APP_SHAPE_UNKNOWN',
    `The default export of ${file} is a function without parameters, so it is no request handler. ` +
      'Is it a factory? Then export it as createApp: export async function createApp() { … return app }',
  )
}

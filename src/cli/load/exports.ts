/** The exports of an app file: its app, its tasks, its `close`. */
import { Server } from 'node:http'
import type { Task } from '../../../workers/index.js'
import { SpaceError } from '../../errors.js'

/** The app, the tasks, or both, that a worker runs. */
export interface LoadedApp<App> {
  readonly app: App | undefined
  readonly tasks: Readonly<Record<string, Task>> | undefined
  /** Closes what the app has opened; to be called once, after its last request. */
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
 * Returns the app, the tasks and `close`; `app` is undefined without one. Awaits a promise and calls `createApp()`.
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
  // The `close` of an app is called on it.
  const close = outer === app ? module.close : named('close')
  return {
    app: app as App | undefined,
    tasks: isTasks(tasks) ? tasks : undefined,
    close: typeof close === 'function' ? () => close() : closeOf(app),
  }
}

/** CommonJS has no top-level await, so a promise is awaited; a Fastify app is also a promise of itself. */
async function settled(value: unknown): Promise<unknown> {
  const promise = value as { then?: unknown; inject?: unknown } | null | undefined
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return value
  return typeof promise?.then === 'function' && typeof promise.inject !== 'function' ? await value : value
}

/**
 * Returns false for the empty object of an unset `module.exports`, and for one with named exports unless it has the
 * methods of an app.
 */
function isApp(value: unknown): boolean {
  if (value === null || value === undefined) return false
  const plain = typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype
  return !plain || 'fetch' in value || 'routing' in value || 'handler' in value
}

/** createWorker reports tasks that are malformed. */
const isTasks = (value: unknown): value is Record<string, Task> => typeof value === 'object' && value !== null

/** Returns how to close an app: by its `close`, or by that of a listening http.Server. */
export function closeOf(app: unknown): (() => unknown) | undefined {
  if (app instanceof Server) {
    return app.listening ? () => closeServer(app) : undefined
  }
  const { close } = (app ?? {}) as { close?: unknown }
  return typeof close === 'function' ? () => close.call(app) : undefined
}

/**
 * Closes a server. The app's own signal listener may close it too, and exit with 1 on failure, so its `close()`
 * succeeds from then on.
 */
async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()))
  server.close = (done) => {
    if (done) process.nextTick(done)
    return server
  }
}

/** Refuses a function without parameters: it cannot be a handler. */
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

/** Registers the hooks of hooks.ts with this process, when needed and once. */
import * as module from 'node:module'
import { isAbsolute } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { HOOKS } from '../places.js'
import { extendRequire } from './commonjs.js'
import * as hooks from './hooks.js'

const listeners = new Set<(path: string) => void>()
let registered = false

/** `listener` is called with the path of each file of the app, as it is imported. */
export function onImport(listener: (path: string) => void): void {
  listeners.add(listener)
}

/** Node.js 22.15 and later have hooks in the main thread; before, they run in the loader's thread. */
export function registerHooks(mapsSources: boolean): void {
  // Source maps make reading a stack slower.
  if (mapsSources) process.setSourceMapsEnabled(true)
  if (registered) return
  registered = true
  const loaded = (path: string): void => {
    for (const listener of listeners) listener(path)
  }
  extendRequire((path) => {
    if (isAbsolute(path) && hooks.isOwnFile(path)) loaded(path)
  })
  const inMainThread = (module as { registerHooks?: (own: object) => void }).registerHooks
  if (inMainThread) {
    hooks.onLoaded(loaded)
    inMainThread({ resolve: hooks.resolve, load: hooks.load })
    return
  }
  const { port1, port2 } = new MessageChannel()
  port1.on('message', loaded).unref()
  module.register(HOOKS, { data: { port: port2 }, transferList: [port2] })
}

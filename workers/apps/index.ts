/** Tells the shapes of apps apart, by what they have and never by the number of their parameters. */
import { type IncomingMessage, Server, type ServerResponse } from 'node:http'
import { SpaceError } from '../../src/errors.js'
import type { Handler } from '../handler.js'
import { type FetchApp, fetchHandler } from './fetch.js'
import { type NodeApp, nodeHandler } from './node.js'

export type { FetchApp } from './fetch.js'
export type { NodeApp } from './node.js'

/** A Koa app, by the two things that tell it from others. */
export interface KoaApp {
  callback(): NodeApp
  readonly middleware: readonly unknown[]
}

/** An app that a worker can run. */
export type App = NodeApp | FetchApp | KoaApp | Server

/**
 * The order matters: a Fastify app has more than one shape, and a function may carry a `fetch`.
 *
 * @throws SpaceError APP_SHAPE_UNKNOWN
 */
export function handlerOf(app: unknown): Handler {
  if (has(app, 'routing', 'ready', 'inject')) {
    throw new SpaceError('APP_SHAPE_UNKNOWN', 'Fastify apps are not supported yet.')
  }
  if (has(app, 'callback') && Array.isArray((app as unknown as KoaApp).middleware)) {
    return nodeHandler((app as unknown as KoaApp).callback())
  }
  if (has(app, 'fetch')) return fetchHandler(app as unknown as FetchApp)
  if (app instanceof Server) return nodeHandler(listenersOf(app))
  if (typeof app === 'function') return nodeHandler(app as NodeApp)
  throw new SpaceError('APP_SHAPE_UNKNOWN', `It is ${described(app)}.`)
}

/** The server's own 'request' listeners, looked up each time as it does itself. */
function listenersOf(server: Server): NodeApp {
  return (req: IncomingMessage, res: ServerResponse) => {
    if (!server.emit('request', req, res))
      throw new SpaceError('APP_SHAPE_UNKNOWN', 'The http.Server has no request listener.')
  }
}

function has(app: unknown, ...methods: string[]): boolean {
  if (app === null || (typeof app !== 'object' && typeof app !== 'function')) return false
  return methods.every((method) => typeof (app as Record<string, unknown>)[method] === 'function')
}

function described(app: unknown): string {
  if (app === null || app === undefined) return String(app)
  if (typeof app !== 'object') return `a ${typeof app}`
  if (typeof (app as Partial<PromiseLike<unknown>>).then === 'function') return 'a promise: await it first'
  const keys = Object.keys(app).slice(0, 5)
  return `an object${keys.length > 0 ? ` with ${keys.join(', ')}` : ' with nothing in it'}`
}

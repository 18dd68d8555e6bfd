/** Tells the kinds of apps apart by their properties, never by the number of their parameters. */
import { createServer, type IncomingMessage, Server, type ServerResponse } from 'node:http'
import { SpaceError } from '../../src/errors.js'
import type { Handler } from '../handler.js'
import { type FastifyApp, fastifyHandler, fastifyReady } from './fastify.js'
import { type FetchApp, fetchHandler } from './fetch.js'
import { type NodeApp, nodeHandler } from './node.js'
import { unknownApp } from './unknown.js'
import { onServer } from './upgrade.js'

export type { FastifyApp } from './fastify.js'
export type { FetchApp } from './fetch.js'
export type { NodeApp } from './node.js'

/** A Koa app, by the two things that tell it from others. */
export interface KoaApp {
  callback(): NodeApp
  readonly middleware: readonly unknown[]
}

/** An app that a worker can run. */
export type App = NodeApp | FetchApp | KoaApp | FastifyApp | Server

/**
 * Returns the handler of an app. The order matters: a Fastify app has several shapes (it is also a promise of itself),
 * and a function may have a `fetch`.
 *
 * @throws SpaceError APP_SHAPE_UNKNOWN that says what it is and what to export instead
 */
export function handlerOf(app: unknown): Handler {
  if (isFastify(app)) return onServer(app.server, fastifyHandler(app))
  if (isKoa(app)) return listening(app.callback())
  if (has(app, 'fetch')) return onServer(undefined, fetchHandler(app as unknown as FetchApp))
  if (app instanceof Server) return onServer(app, nodeHandler(listenersOf(app), app))
  if (typeof app === 'function' && !isClass(app)) return listening(app as NodeApp)
  throw new SpaceError('APP_SHAPE_UNKNOWN', unknownApp(app))
}

/**
 * Makes the app the `request` listener of an http.Server that never listens. Apps find this server at
 * `req.socket.server`, store state on it, and add listeners for requests and upgrades (socket.io in a Next API route).
 */
function listening(app: NodeApp): Handler {
  let returned: unknown
  const server = createServer((req, res) => {
    returned = app(req, res)
  })
  const emit = (req: IncomingMessage, res: ServerResponse): unknown => {
    returned = undefined
    server.emit('request', req, res)
    return returned
  }
  return onServer(server, nodeHandler(emit, server))
}

/** Prepares an app for its first request: Fastify loads its plugins; other apps are ready. */
export async function readyOf(app: unknown): Promise<void> {
  if (isFastify(app)) await fastifyReady(app)
}

const isFastify = (app: unknown): app is FastifyApp => has(app, 'routing', 'ready', 'inject')

const isKoa = (app: unknown): app is KoaApp =>
  has(app, 'callback') && Array.isArray((app as Partial<KoaApp>).middleware)

/** True for a class: it can only be called with `new`. */
const isClass = (app: object): boolean => /^class\b/.test(Function.prototype.toString.call(app))

/** Emits 'request' on the server, so that its listeners are looked up for each request, as Node.js does. */
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

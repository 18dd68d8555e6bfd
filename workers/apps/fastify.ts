/**
 * Runs a Fastify app by the listener that it gives to its own server; its routes are known once its plugins have
 * loaded.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { SpaceError } from '../../src/errors.js'
import type { Handler } from '../handler.js'
import { nodeHandler } from './node.js'

/** A Fastify app, by the three things that tell it from others. */
export interface FastifyApp {
  routing(req: IncomingMessage, res: ServerResponse): void
  ready(): PromiseLike<unknown>
  inject(...args: never[]): unknown
  /** Where plugins for WebSockets listen. */
  readonly server?: Server
}

export const fastifyHandler = (app: FastifyApp): Handler => nodeHandler((req, res) => app.routing(req, res), app.server)

/** @throws SpaceError APP_NOT_READY with what the app's own plugin or hook said */
export async function fastifyReady(app: FastifyApp): Promise<void> {
  try {
    await app.ready()
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause)
    throw new SpaceError('APP_NOT_READY', said, { cause })
  }
}

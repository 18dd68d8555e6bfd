/**
 * Runs the 'upgrade' listeners of an app's http.Server (ws, @fastify/websocket, @hono/node-ws, socket.io): they get the
 * request and a socket, and write the head of the response themselves. An app without such listeners gets an ordinary
 * request, as from Node's server.
 */
import type { EventEmitter } from 'node:events'
import type { HttpRequest, HttpResponse } from '../../src/request.js'
import type { Handler, TurnContext } from '../handler.js'
import { incoming } from './node.js'
import { UpgradedSocket } from './upgraded-socket.js'
import { WrittenAnswer } from './written-answer.js'

const NOTHING = Buffer.alloc(0)

/** Gives upgrades to the listeners of `server`, and all other requests to `handle`. */
export const onServer =
  (server: EventEmitter | undefined, handle: Handler): Handler =>
  (request, turn) => {
    if (request.more !== 'upgrade') return handle(request, turn)
    if (server && server.listenerCount('upgrade') > 0) return upgraded(server, request, turn)
    return handle(plainly(request), turn)
  }

/** Returns the request without the upgrade. */
function plainly(request: HttpRequest): HttpRequest {
  request.rest?.cancel()
  return { ...request, body: NOTHING, more: undefined, rest: undefined }
}

function upgraded(server: EventEmitter, request: HttpRequest, turn: TurnContext): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      turn.onCut = undefined
      try {
        resolve(answer.end())
      } catch (error) {
        reject(error)
      }
    }
    const answer = new WrittenAnswer(request.method, turn, () => {
      settle()
      // Its client has the response and leaves.
      setImmediate(() => socket.destroy())
    })
    const socket = new UpgradedSocket(request, server, answer)
    socket.on('close', settle)
    // An 'error' without a listener would end the process.
    socket.on('error', () => {})
    turn.onCut = () => void socket.destroy()
    const req = incoming({ ...request, body: NOTHING, rest: undefined }, socket)
    server.emit('upgrade', req, socket, NOTHING)
  })
}

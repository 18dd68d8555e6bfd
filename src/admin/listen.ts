/** A port that answers by a `fetch` function: the admin port, and that of a dashboard. The only file that imports @hono/node-server. */
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { SpaceError } from '../errors.js'

export interface ListenTerms {
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
  /** The name of the port and the setting that changes it, for messages. */
  readonly name: string
  readonly setting: string
}

export interface OpenPort {
  readonly port: number
  close(): Promise<void>
}

/** Answers a request; `env` has the request of Node.js as `incoming`. */
export type FetchFunction = (request: Request, env: object) => Response | Promise<Response>

/**
 * Resolves when the port is open. Rejects with PORT_TAKEN, or INVALID_ARGUMENT for an address that is not of this
 * machine.
 */
export function openPort(fetch: FetchFunction, terms: ListenTerms): Promise<OpenPort> {
  return new Promise((resolve, reject) => {
    // The global Request and Response stay those of Node.js.
    const options = { fetch, hostname: terms.host, port: terms.port, overrideGlobalObjects: false }
    const server = serve(options, (info) => resolve({ port: info.port, close: () => closeServer(server) })) as Server
    // Later errors are of single connections; the server goes on.
    server.on('error', (error: NodeJS.ErrnoException) => reject(listenError(error, terms)))
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

function listenError(error: NodeJS.ErrnoException, { host, port, name, setting }: ListenTerms): SpaceError {
  const cause = { cause: error }
  if (error.code === 'EADDRINUSE') {
    return new SpaceError('PORT_TAKEN', `This is the ${name} ${host}:${port}: choose another with ${setting}.`, cause)
  }
  return new SpaceError('INVALID_ARGUMENT', `The ${name} ${host}:${port} cannot be opened (${error.code}).`, cause)
}

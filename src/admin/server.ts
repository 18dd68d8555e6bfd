/** The admin port: three probes, /metrics and the state of the space over HTTP. The only file that imports hono. */
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { SpaceError } from '../errors.js'
import { isKnownHost } from './known-hosts.js'
import type { ProbeResult, Probes } from './probes.js'

/** The content of /metrics. */
export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
}

/** The content of /api/v1/state. */
export interface States {
  state(): Promise<object>
}

/** Where an admin port listens, and the names beside its own under which it is asked. */
export interface AdminAddress {
  readonly host: string
  readonly port: number
  readonly allowedHosts: readonly string[]
}

export interface AdminServer {
  readonly port: number
  close(): Promise<void>
}

/**
 * Resolves when the port is open. Rejects with PORT_TAKEN, or INVALID_ARGUMENT for an address that is not of this
 * machine.
 */
export function serveAdmin(at: AdminAddress, probes: Probes, metrics: Metrics, states: States): Promise<AdminServer> {
  const { host, port, allowedHosts } = at
  const app = new Hono()
  app.use(async (c, next) => {
    if (isKnownHost(c.req.header('host'), host, allowedHosts)) return next()
    return c.text('This admin port does not answer that host: add its name to --admin-allowed-hosts.\n', 421)
  })
  app.get('/livez', (c) => probeResponse(c, probes.live()))
  app.get('/startupz', (c) => probeResponse(c, probes.started()))
  app.get('/readyz', async (c) => probeResponse(c, await probes.ready()))
  app.get('/metrics', async (c) => c.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType }))
  app.get('/api/v1/state', async (c) => {
    try {
      return c.json(await states.state(), 200, { 'Cache-Control': 'no-store' })
    } catch (error) {
      return c.json({ error: (error as Error).message }, 503, { 'Cache-Control': 'no-store' })
    }
  })
  return new Promise((resolve, reject) => {
    // The global Request and Response stay those of Node.js.
    const options = { fetch: app.fetch, hostname: host, port, overrideGlobalObjects: false }
    const server = serve(options, (info) => resolve({ port: info.port, close: () => closeServer(server) })) as Server
    // Later errors are of single connections; the server goes on.
    server.on('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
  })
}

const probeResponse = (c: Context, { ok, checks }: ProbeResult): Response =>
  c.json({ status: ok ? 'ok' : 'unavailable', checks }, ok ? 200 : 503, { 'Cache-Control': 'no-store' })

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): SpaceError {
  const cause = { cause: error }
  if (error.code === 'EADDRINUSE') {
    return new SpaceError(
      'PORT_TAKEN',
      `This is the admin port ${host}:${port}: choose another with --admin-port.`,
      cause,
    )
  }
  return new SpaceError('INVALID_ARGUMENT', `The admin port ${host}:${port} cannot be opened (${error.code}).`, cause)
}

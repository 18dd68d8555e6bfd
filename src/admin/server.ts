/** The admin port: three probes, /metrics and the state of the space over HTTP. The only file that imports hono. */
import { type Context, Hono } from 'hono'
import { isKnownHost } from './known-hosts.js'
import { type OpenPort, openPort } from './listen.js'
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
  /** An app beside the probes, with rules of its own for hosts and users. */
  readonly dashboard?: MountedApp | undefined
}

/** An app that answers all requests below its path, as `createDashboard` returns it. */
export interface MountedApp {
  /** Begins with a slash. */
  readonly path: string
  fetch(request: Request, env?: unknown): Response | Promise<Response>
}

/**
 * Resolves when the port is open. Rejects with PORT_TAKEN, or INVALID_ARGUMENT for an address that is not of this
 * machine.
 */
export function serveAdmin(at: AdminAddress, probes: Probes, metrics: Metrics, states: States): Promise<OpenPort> {
  const { host, port, allowedHosts, dashboard } = at
  const app = new Hono()
  if (dashboard) {
    for (const path of [dashboard.path, `${dashboard.path}/*`]) app.all(path, (c) => dashboard.fetch(c.req.raw, c.env))
  }
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
  return openPort(app.fetch, { host, port, name: 'admin port', setting: '--admin-port' })
}

const probeResponse = (c: Context, { ok, checks }: ProbeResult): Response =>
  c.json({ status: ok ? 'ok' : 'unavailable', checks }, ok ? 200 : 503, { 'Cache-Control': 'no-store' })

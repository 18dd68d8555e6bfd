/** createGateway: HTTP in, entry out. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { isIPv6, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { backlogMeasures } from '../src/admin/backlog.js'
import { Admin } from '../src/admin/index.js'
import { type GatewayState, gatewayMeasures, type Measure } from '../src/admin/measures.js'
import { tracing } from '../src/admin/spans.js'
import { monotonicMs } from '../src/clock.js'
import { controlOf, type Member } from '../src/control.js'
import { OfferedServices } from '../src/request.js'
import { GatewayCounters } from '../src/runtime/counters.js'
import { within } from '../src/runtime/deadline.js'
import { InFlight } from '../src/runtime/in-flight.js'
import { type Service, service } from '../src/runtime/lifecycle.js'
import { isAdmissible, whenDetached } from './connection.js'
import type { Edge, GatewayMonitor, StartedExchange } from './edge.js'
import { handleExchange } from './exchange.js'
import { Limits } from './limits.js'
import { checked, type GatewayOptions } from './options.js'
import { Outages } from './outages.js'
import { OwnErrors } from './own-errors.js'
import { askedProtocol } from './protocols.js'
import { TrustedProxies } from './proxies.js'
import { expectProxyHeaders } from './proxy-protocol.js'
import { Routes } from './routes.js'
import { type GatewayServer, listen, type OnRequest, type OnUpgrade } from './server.js'
import { Certificates } from './tls/certificates.js'
import { upgrade } from './upgrade.js'
import { Uploads } from './uploads.js'

export type { AdminOptions } from '../src/admin/options.js'
export type { RequestClient } from '../src/request.js'
export type { GatewayLimits, GatewayOptions, IdempotencyOptions } from './options.js'
export type { ServiceOptions } from './service-options.js'
export type { CertificateFiles, HttpsOptions } from './tls/options.js'
export type { TrustProxy } from './trust.js'

export interface Gateway extends Service, AsyncDisposable {
  /**
   * Opens the port.
   *
   * @throws SpaceError PORT_TAKEN; INVALID_ARGUMENT for a host or port that this process may not listen on
   */
  start(): Promise<void>
  /**
   * Reports not ready, and after `drainDelayMs` takes no new connection, answers the requests in flight, then closes.
   * An upload without progress for 5 s gets 408. Returns within the longest timeout of a service + 1 s after the delay.
   */
  stop(): Promise<void>
  /** The URL on which it listens, such as `http://127.0.0.1:8080`; with port 0 the real port once it has started. */
  readonly url: string
  /** The URL of the admin port (probes, metrics); undefined while it is closed. */
  readonly adminUrl: string | undefined
  /**
   * Reads the certificates of `tls` again. If one cannot be used, the former ones stay in use, and the reason is logged.
   */
  reloadCertificates(): Promise<void>
  /** @internal The gateway's own metrics; it counts from the first read on. */
  readonly measures: readonly Measure[]
  /** Serves one request, for a server of your own instead of start(). */
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void
  /** Serves an 'upgrade' event: a WebSocket, or a protocol of `upgradeProtocols`. */
  readonly upgradeHandler: (req: IncomingMessage, socket: Duplex, head: Buffer) => void
}

/** Time from the deadline of an exchange to its response. */
const AFTERWARDS_MS = 1_000

/**
 * Creates a gateway: it writes each HTTP request into the space and answers with the worker's response. Without one,
 * the client gets one clear error: 504 at its deadline, 502 if the worker died and the request may not run again, 503
 * if the space cannot take the request, 413 if the body is too large.
 *
 * @throws SpaceError INVALID_ARGUMENT, naming the option
 * @example
 * const gateway = createGateway({ space, port: 8080, services: [{ service: 'web' }, { service: 'api', pathPrefix: '/api' }] })
 * await gateway.start()
 * console.log(gateway.url)
 * await gateway.stop()
 */
export function createGateway(options: GatewayOptions): Gateway {
  const terms = checked(options)
  const { space, host, port, tls, h2c, services, upgradeProtocols, drainDelayMs, keepAliveMs, idempotency, logger } =
    terms
  const { replayBytes, inFlight } = terms.limits
  const outages = new Outages(space, logger)
  const limits = new Limits(inFlight)
  const routes = new Routes(services, terms.limits, limits, (name) => outages.of(name))
  const serviceNames = [...new Set(routes.all.map(({ once }) => once.service))]
  const proxies = new TrustedProxies(terms.trustProxy, logger)
  const edge: Edge = {
    space,
    routes,
    offered: new OfferedServices(space),
    limits,
    uploads: new Uploads(),
    ownErrors: new OwnErrors(serviceNames),
    outages,
    replayBytes,
    idempotency,
    proxies,
    upgradeProtocols,
    upgraded: new Set(),
    log: logger,
    phase: 'open',
    refused: new Set(),
    watch: undefined,
    tracing: tracing(),
  }
  const measures = (): Measure[] => {
    edge.watch ??= { counters: new GatewayCounters(), open: new InFlight<StartedExchange>() }
    const { watch } = edge
    return gatewayMeasures(watch.counters, () => stateOf(watch, inFlight))
  }
  const admin =
    terms.admin &&
    new Admin({
      space,
      ...terms.admin,
      logger,
      serving: () => edge.phase === 'open',
      measures: [
        ...measures(),
        ...backlogMeasures(
          space,
          routes.all.map(({ once }) => once.service),
        ),
      ],
    })
  const drainMs = Math.max(...routes.all.map((route) => route.once.timeoutMs)) + AFTERWARDS_MS
  const certificates = tls && new Certificates(tls, logger)
  let listening: GatewayServer | undefined

  const onRequest: OnRequest = (req, res, expects100) => {
    if (!isAdmissible(req, res)) return
    // An exchange does not reject; if it ever does, only its own connection is cut.
    handleExchange(edge, req, res, expects100).catch(() => req.socket.destroy())
  }
  const onUpgrade: OnUpgrade = (req, socket, first) => {
    upgrade(edge, req, socket, first).catch(() => socket.destroy())
  }
  const onServer = (server: Server): void => {
    if (terms.proxyProtocol) expectProxyHeaders(server, (socket) => proxies.trusts(socket), logger)
  }
  const isUpgrade = (req: IncomingMessage): boolean => askedProtocol(req, upgradeProtocols) !== undefined
  const control = controlOf(space)
  const member: Member = {
    role: 'gateway',
    services: serviceNames,
    tasks: [],
    logger,
    load: () => ({
      capacity: inFlight,
      held: limits.inFlight,
      // Known if metrics are read.
      oldestMs: edge.watch ? stateOf(edge.watch, inFlight).oldestMs : 0,
    }),
    served: () => edge.ownErrors.parts(),
    // New connections are served still, until load balancers have noticed.
    drain: (drains) => {
      if (edge.phase === 'open' || edge.phase === 'leaving') edge.phase = drains ? 'leaving' : 'open'
    },
    onPauses: (pauses) => {
      edge.refused = new Set(
        pauses.filter(({ what, refuses }) => what === 'service' && refuses).map(({ name }) => name),
      )
    },
    stop: () => gateway.stop(),
  }
  const server = service(
    async () => {
      edge.tracing ??= tracing()
      await control.join(member)
      const open = async (): Promise<void> => {
        await certificates?.load()
        await space.streams.listen(logger)
        const serverTerms = { host, port, certificates, h2c, keepAliveMs }
        listening = await listen(serverTerms, { onServer, onRequest, onUpgrade, isUpgrade })
        certificates?.watch()
      }
      await (admin ? admin.during(open) : open())
    },
    async () => {
      certificates?.unwatch()
      await listening?.close(drainMs)
    },
  )

  let leaving: Promise<void> | undefined
  /** Waits until load balancers have noticed. */
  const leave = (): Promise<void> | undefined => {
    if (leaving || edge.phase === 'draining' || edge.phase === 'stopped') return leaving
    edge.phase = 'draining'
    if (!listening || drainDelayMs === 0) return undefined
    edge.phase = 'leaving'
    logger.info({ drainDelayMs }, 'not ready any more; the port stays open for the drain delay')
    leaving = new Promise((resolve) => setTimeout(resolve, drainDelayMs)).then(() => {
      edge.phase = 'draining'
    })
    return leaving
  }

  const gateway: Gateway = {
    start: server.start,
    async stop() {
      if (admin) admin.phase = 'draining'
      control.stopping(member)
      await leave()
      // Upgraded connections do not end by themselves.
      for (const closeUpgraded of [...edge.upgraded]) closeUpgraded()
      const release = edge.uploads.refuseStalled()
      await server.stop()
      await within(drainMs, edge.limits.idle())
      release()
      edge.phase = 'stopped'
      outages.stop()
      await control.leave(member)
      await admin?.close()
      space.disown(gateway)
    },
    get url() {
      return `${tls ? 'https' : 'http'}://${isIPv6(host) ? `[${host}]` : host}:${listening?.port ?? port}`
    },
    get adminUrl() {
      return admin?.url
    },
    reloadCertificates: async () => certificates?.reload(),
    get measures() {
      return measures()
    },
    handler: (req, res) => onRequest(req, res, false),
    upgradeHandler: (req, socket, head) => whenDetached(socket as Socket, () => onUpgrade(req, socket as Socket, head)),
    [Symbol.asyncDispose]: () => gateway.stop(),
  }
  space.adopt(gateway)
  return gateway
}

function stateOf({ open }: GatewayMonitor, capacity: number): GatewayState {
  let oldest = monotonicMs()
  const now = oldest
  for (const { since } of open) oldest = Math.min(oldest, since)
  return { inFlight: open.size, capacity, oldestMs: now - oldest }
}

/**
 * Keeps an app file's `listen()` from opening a port: while the file loads, a listening http.Server gets a substitute
 * for Node's handle. Its events, callback, `address()` and `close()` are Node's own.
 */
import { Server as HttpServer } from 'node:http'
import { Server as NetServer } from 'node:net'

export interface Listening {
  readonly server: HttpServer
  /** The address that the app asked for: `port 3000`, `/run/app.sock`. */
  readonly where: string
}

interface Address {
  port: number
  host: string | undefined
  path: string | undefined
}

type Listen = typeof NetServer.prototype.listen

interface Interception {
  readonly onListen: (listening: Listening) => void
  /** The first http.Server that listened: the app's. */
  first: HttpServer | undefined
  /** The exported app, once the file is loaded: from then on only its server is intercepted. */
  app: unknown
}

let interception: Interception | undefined
let listenOfNode: Listen | undefined

/** Servers that opened a port while an app file was loaded, by port: the reloaded file wants the same ports. */
const opened = new Map<number, HttpServer>()

/**
 * Keeps the first http.Server that listens from opening its port, and those with the same request listener (Fastify
 * listens on each address of `localhost`). Others open theirs: other kinds, later ones, and those of a front-end
 * development server. Returns a function that ends this; given an exported app that has not listened yet, its server is
 * still intercepted. One interception at a time.
 */
export function interceptListen(onListen: (listening: Listening) => void): (exported?: unknown) => void {
  const mine: Interception = { onListen, first: undefined, app: undefined }
  interception = mine
  if (!listenOfNode) {
    listenOfNode = NetServer.prototype.listen
    NetServer.prototype.listen = listen as Listen
  }
  return (exported) => {
    mine.app = exported
    if (interception !== mine || !listenOfNode || (exported !== undefined && !mine.first)) return
    NetServer.prototype.listen = listenOfNode
    interception = listenOfNode = undefined
  }
}

function listen(this: NetServer, ...args: unknown[]): NetServer {
  if (!(this instanceof HttpServer) || this.listening || !interception) return listenOfNode!.apply(this, args as never)
  const address = addressOf(args)
  if (isOfDevelopment() || !isApps(this, interception)) return open(this, address, args)
  const callback = args.at(-1)
  if (typeof callback === 'function') this.once('listening', callback as () => void)
  standIn(this, address)
  process.nextTick(() => this.emit('listening'))
  interception.onListen({ server: this, where: address.path ?? `port ${address.port}` })
  return this
}

function isApps(server: HttpServer, interception: Interception): boolean {
  const { app } = interception
  const own = (app as { server?: unknown } | undefined)?.server
  if (app !== undefined && server !== app && server !== own && !server.listeners('request').includes(app as never)) {
    return false
  }
  // A server that has closed again was a test for a free port.
  if (!interception.first?.listening) interception.first = server
  const [handler] = interception.first.listeners('request')
  return server === interception.first || (handler !== undefined && server.listeners('request').includes(handler))
}

/** Vite opens a port for its hot module replacement before the app listens. */
const isOfDevelopment = (): boolean =>
  /[\\/]node_modules[\\/](vite|webpack-dev-server)[\\/]/.test(new Error().stack ?? '')

/** A reloaded file wants the port of its predecessor, whose connections stay. */
function open(server: HttpServer, { port }: Address, args: readonly unknown[]): NetServer {
  if (port > 0) {
    opened.get(port)?.close()
    opened.set(port, server)
  }
  return listenOfNode!.apply(server, args as never)
}

/**
 * Parses `listen(port, host, …)`, `listen({ port, host, path })`, `listen(path)`; other forms listen on any free port.
 */
function addressOf([first, second]: readonly unknown[]): Address {
  if (typeof first === 'object' && first !== null) {
    const { port, host, path } = first as Partial<Address>
    return { port: Number(port ?? 0), host, path }
  }
  const isPath = typeof first === 'string' && Number.isNaN(Number(first))
  return {
    port: isPath || typeof first === 'function' ? 0 : Number(first ?? 0),
    host: typeof second === 'string' ? second : undefined,
    path: isPath ? first : undefined,
  }
}

/** Implements the part of the handle that Node's net.Server uses (lib/net.js). */
function standIn(server: HttpServer, { port, host, path }: Address): void {
  const address = host && host !== 'localhost' ? host : '127.0.0.1'
  const getsockname = (out: Record<string, unknown>): number => {
    Object.assign(out, { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port })
    return 0
  }
  const handle = {
    // Without getsockname `address()` is the path of a Unix socket.
    ...(path === undefined ? { getsockname } : {}),
    close(closed?: () => void): void {
      if (closed) process.nextTick(closed)
    },
    ref() {},
    unref() {},
  }
  Object.assign(server, { _handle: handle, ...(path === undefined ? {} : { _pipeName: path }) })
}

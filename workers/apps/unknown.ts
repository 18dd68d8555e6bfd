/** Describes a value that is not an app: what it is, and what to export instead. */
import { Server } from 'node:http'

type Members = Record<string, unknown>

interface KnownShape {
  readonly what: string
  readonly instead: string
  told(app: Members): boolean
}

const calls = (app: Members, ...names: string[]): boolean => names.every((name) => typeof app[name] === 'function')

/** Known values, more specific ones first. */
const KNOWN: KnownShape[] = [
  {
    what: 'a promise',
    instead: 'Await it first: export default await …',
    told: (app) => calls(app, 'then'),
  },
  {
    what: 'a restify server',
    instead: 'Export its http.Server: export default server.server',
    told: (app) => calls(app, 'pre', 'use') && 'acceptable' in app && app.server instanceof Server,
  },
  {
    what: 'a hapi server',
    instead: 'Export its http.Server once it is ready: await server.initialize(); export default server.listener',
    told: (app) => calls(app, 'initialize', 'inject') && app.listener instanceof Server,
  },
  {
    what: 'a Nest app',
    instead:
      'Export its http.Server, on which its WebSocket gateways listen, too: await app.init(); export default app.getHttpServer()',
    told: (app) => calls(app, 'init', 'getHttpAdapter'),
  },
  {
    what: 'a Next.js app',
    instead:
      "Export an http.Server with its handlers: await app.prepare(); export default createServer(app.getRequestHandler()).on('upgrade', app.getUpgradeHandler())",
    told: (app) => calls(app, 'prepare', 'getRequestHandler'),
  },
  {
    what: 'an h3 app of version 1',
    instead: 'Export its listener: export default toNodeListener(app)',
    told: (app) => calls(app, 'handler', 'use', 'resolve') && Array.isArray(app.stack),
  },
  {
    what: 'a polka app',
    instead: 'Export its handler: export default app.handler',
    told: (app) => calls(app, 'handler', 'listen', 'use', 'find'),
  },
  {
    what: 'an https.Server',
    instead: 'TLS ends at the gateway. Export the app that you gave to createServer',
    told: (app) => calls(app, 'listen', 'setSecureContext'),
  },
  {
    what: 'a module',
    instead: 'Give its default export',
    told: (app) => app.default !== null && ['object', 'function'].includes(typeof app.default),
  },
]

export function unknownApp(app: unknown): string {
  if (app === null || app === undefined) return `It is ${String(app)}.`
  if (typeof app === 'function') return 'It is a class. Export an instance of it.'
  if (typeof app !== 'object') return `It is a ${typeof app}.`
  const members = app as Members
  const known = KNOWN.find(({ told }) => told(members))
  if (known) return `It is ${known.what}. ${known.instead}.`
  return `It is ${named(members)}. ${advice(members)}`
}

function named(app: Members): string {
  if (Array.isArray(app)) return 'an array'
  const keys = Object.keys(app).slice(0, 5)
  return `an object ${keys.length > 0 ? `with ${keys.join(', ')}` : 'with nothing in it'}`
}

/** Returns advice for an object with a property that would do. */
function advice(app: Members): string {
  const server = Object.keys(app).find((name) => app[name] instanceof Server)
  if (server) return `Export its http.Server: export default app.${server}`
  const handler = ['handler', 'handle', 'callback'].find((name) => typeof app[name] === 'function')
  if (handler)
    return `If its ${handler} is (req, res), export that: export default (req, res) => app.${handler}(req, res)`
  return 'Export the app itself, never a factory of it.'
}

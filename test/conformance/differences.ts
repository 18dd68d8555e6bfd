/** Where a response through the space, or what an app sees, differs from a server of its own, each with its reason. */
import type { Heard } from './asking.js'
import { BARE, type Request } from './requests.js'

export interface Difference {
  /** A section of an RFC, or what no server behind a gateway can do. */
  readonly reason: string
  readonly frameworks: RegExp
  /** Of the names of requests. */
  readonly requests: RegExp
  readonly over: 'HTTP/1.1' | 'HTTP/2' | 'both'
  /** Leaves out what differs; applied to both sides, which then are equal. */
  alike(heard: Heard): Heard
}

const ALL = /^/
const IS_BARE = new RegExp(`^${BARE}$`)

/** Drops header lines of the response. */
const without =
  (line: RegExp) =>
  (heard: Heard): Heard => ({ ...heard, headers: heard.headers.filter((each) => !line.test(each)) })

/** Drops header lines that the app saw, and what follows from the length of its telling them. */
const unseen =
  (line: RegExp) =>
  (heard: Heard): Heard =>
    telling(heard, ({ headers, trailers }) => ({ headers: headers.filter((each) => !line.test(each)), trailers }))

const FRAMING = /^(connection|keep-alive|content-length|transfer-encoding|date): /i

const NOTHING: Heard = { status: 0, reason: '', headers: [], body: '', trailers: [], interim: [] }

/** `content-length: ` as `Content-Length: `. */
const titled = (name: string): string => name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())

const only = (line: RegExp, { headers }: Heard): string[] => headers.filter((each) => line.test(each))

function reframed(heard: Heard): Heard {
  const framing = new RegExp(`^(transfer-encoding: chunked|content-length: ${heard.body.length})$`, 'i')
  return without(framing)(heard)
}

/** Names in lower case. */
const lowered = (lines: readonly string[]): string[] =>
  lines.map((line) => line.slice(0, line.indexOf(':')).toLowerCase() + line.slice(line.indexOf(':')))

/** Lines of one name as one; not those of Set-Cookie. */
function joined(lines: readonly string[]): string[] {
  const first = new Map<string, string>()
  lines.forEach((line, i) => {
    const colon = line.indexOf(': ')
    const name = line.slice(0, colon).toLowerCase()
    const key = name === 'set-cookie' ? `${name} ${i}` : name
    const before = first.get(key)
    first.set(key, before === undefined ? line : `${before}, ${line.slice(colon + 2)}`)
  })
  return [...first.values()]
}

/** What an app has told of its request: lines of fields. */
interface Seen {
  readonly headers: readonly string[]
  readonly trailers: readonly string[]
}

/** Changes the fields in the body, if the app tells of its request there. */
function telling(heard: Heard, change: (seen: Seen) => Seen): Heard {
  if (!heard.body.startsWith('{"method"')) return heard
  const headers = heard.headers.filter((line) => !/^(etag|content-length): /i.test(line))
  const { headers: fields, trailers = [], joined: _, ...told } = JSON.parse(heard.body)
  const lines = Array.isArray(fields) ? fields : Object.entries(fields).map(([name, value]) => `${name}: ${value}`)
  return { ...heard, headers, body: JSON.stringify({ ...told, ...change({ headers: lines, trailers }) }) }
}

export const DIFFERENCES: readonly Difference[] = [
  {
    reason: 'The second of an answer is that of the answer.',
    frameworks: ALL,
    requests: ALL,
    over: 'both',
    alike: without(/^date: .* GMT$/i),
  },
  {
    reason: 'The gateway tells the id of the request, by which its log and that of the worker can be searched.',
    frameworks: ALL,
    requests: ALL,
    over: 'both',
    alike: without(/^x-request-id: /i),
  },
  {
    reason: 'Connection speaks of one hop (RFC 9110 §7.6.1), and the client’s connection ends at the gateway.',
    frameworks: IS_BARE,
    requests: ALL,
    over: 'both',
    alike: unseen(/^connection: /i),
  },
  {
    reason: 'Fields of different names have no order (RFC 9110 §5.3): the gateway writes those of its connection last.',
    frameworks: ALL,
    requests: ALL,
    over: 'both',
    alike: (heard) => ({ ...heard, headers: [...without(FRAMING)(heard).headers, ...only(FRAMING, heard).sort()] }),
  },
  {
    reason: 'The gateway has met the expectation (RFC 9110 §10.1.1) and does not pass it on.',
    frameworks: ALL,
    requests: /Expect 100-continue/,
    over: 'both',
    alike: unseen(/^expect: /i),
  },
  {
    reason: 'Framing is of one hop (RFC 9112 §6.1): a body that is complete within 10 ms is sent with its length.',
    frameworks: ALL,
    requests: ALL,
    over: 'both',
    alike: (heard) => reframed(heard),
  },
  {
    reason: 'A body that has arrived has a length for the app, instead of chunks (RFC 9112 §7.1.3).',
    frameworks: /^(?!Fastify)/,
    requests: /chunks|by=method/,
    over: 'both',
    alike: unseen(/^(transfer-encoding: chunked|content-length: \d+)$/i),
  },
  {
    reason:
      'Fields that Connection lists, and those that are of one hop by rule, end at the gateway (RFC 9110 §7.6.1).',
    frameworks: ALL,
    requests: /\/echo (Connection|TE|Keep-Alive)/,
    over: 'HTTP/1.1',
    alike: unseen(/^(x-hop|te|keep-alive|proxy-connection): /i),
  },
  {
    reason: 'The same for those of a response (RFC 9110 §7.6.1).',
    frameworks: IS_BARE,
    requests: /field=(Connection:X-Hop|Keep-Alive)/,
    over: 'both',
    alike: without(/^(connection|x-hop|keep-alive|proxy-connection): /i),
  },
  {
    reason: 'Keep-Alive tells how long this hop keeps its connection (RFC 9110 §7.6.1): the gateway 60 s, Node 5 s.',
    frameworks: ALL,
    requests: /\/echo (Connection|TE)/,
    over: 'HTTP/1.1',
    alike: without(/^keep-alive: /i),
  },
  {
    reason: 'The gateway sends 100 Continue to who has asked for it, and to no other (RFC 9110 §10.1.1).',
    frameworks: IS_BARE,
    requests: /^GET \/continue/,
    over: 'both',
    alike: (heard) => ({ ...heard, interim: heard.interim.filter((status) => status !== 100) }),
  },
  {
    reason: 'In development the error page shows the stack of the error, which ends where the request came in.',
    frameworks: /^Express/,
    requests: /(throws|rejects|late-error|%ff|2000002 bytes|bytes=99999999-|charset=latin1)/,
    over: 'both',
    alike: (heard) => {
      return { ...without(/^content-length: /i)(heard), body: heard.body.replace(/<br>.*/s, '') }
    },
  },
  {
    reason:
      'The app is told a length, 0, instead of chunks; Fastify asks for the type of a body in chunks, if empty, too.',
    frameworks: /^Fastify/,
    requests: /^(PUT|PATCH) .*by=method/,
    over: 'both',
    alike: () => NOTHING,
  },
  {
    reason: 'Field names have no case (RFC 9110 §5.1): those of its own connection are written by the gateway.',
    frameworks: /^(Fastify|Hono)/,
    requests: ALL,
    over: 'HTTP/1.1',
    alike: (heard) => ({ ...heard, headers: heard.headers.map((line) => line.replace(FRAMING, titled)) }),
  },
  {
    reason:
      'A Latin-1 header is one here. On a socket Node writes it as UTF-8 if it goes out in one piece with a text.',
    frameworks: /^(Koa|Fastify)/,
    requests: /many-headers/,
    over: 'both',
    alike: (heard) => ({ ...heard, headers: heard.headers.map((line) => line.replace(/caf.*/, 'café')) }),
  },
  {
    reason: 'What has no Content-Type gets that of a text from the adapter of Hono for Node, whatever it is.',
    frameworks: /^Hono/,
    requests: /(raw|pipe|stream|big|download|compressible)/,
    over: 'both',
    alike: without(/^content-type: text\/plain; charset=UTF-8$/),
  },
  {
    reason: 'The URL is that of the client behind the trusted proxy; a server of its own knows of no proxy.',
    frameworks: /^Hono/,
    requests: /X-Forwarded-Proto/,
    over: 'both',
    alike: (heard) => ({ ...heard, body: heard.body.replace(/"host":"[^"]*","protocol":"[^"]*"/, '') }),
  },
  {
    reason: 'HTTP/2 has no reason phrase (RFC 9113 §8.3.2).',
    frameworks: ALL,
    requests: ALL,
    over: 'HTTP/2',
    alike: (heard) => ({ ...heard, reason: '' }),
  },
  {
    reason: 'HTTP/2 has field names in lower case only (RFC 9113 §8.2).',
    frameworks: /^(?!Hono)/,
    requests: ALL,
    over: 'HTTP/2',
    alike: (heard) => ({ ...heard, headers: lowered(heard.headers), trailers: lowered(heard.trailers) }),
  },
  {
    reason: 'So the app sees them; lines of other requests keep their case.',
    frameworks: IS_BARE,
    requests: ALL,
    over: 'HTTP/2',
    alike: (heard) =>
      telling(heard, ({ headers, trailers }) => ({ headers: lowered(headers), trailers: lowered(trailers) })),
  },
  {
    reason: 'HTTP/2 splits Cookie for its compression; the pieces are joined, and come last (RFC 9113 §8.2.3).',
    frameworks: IS_BARE,
    requests: / Cookie .* Cookie/,
    over: 'HTTP/2',
    alike: (heard) =>
      telling(heard, ({ headers, trailers }) => {
        const cookies = headers.filter((line) => /^cookie: /i.test(line)).map((line) => line.slice(8))
        return { headers: [...headers.filter((line) => !/^cookie: /i.test(line)), cookies.join('; ')], trailers }
      }),
  },
  {
    reason: 'HTTP/2 has no fields of a connection (RFC 9113 §8.2.2).',
    frameworks: ALL,
    requests: ALL,
    over: 'HTTP/2',
    alike: without(/^(connection|keep-alive|transfer-encoding): /i),
  },
  {
    reason: 'Lines of one name are a list, which may be one line (RFC 9110 §5.3); Set-Cookie is none.',
    frameworks: /^(?!Hono)/,
    requests: /many-headers|field=(Vary|WWW-Auth|Link)/,
    over: 'HTTP/2',
    alike: (heard) => ({ ...heard, headers: joined(heard.headers) }),
  },
  {
    reason: 'A status has a class from 1 to 5 (RFC 9110 §15), and node:http2 sends no other: 502.',
    frameworks: IS_BARE,
    requests: /status=999/,
    over: 'HTTP/2',
    alike: ({ status, ...heard }) => ({ ...heard, status: status === 999 ? 502 : status, headers: [], body: '' }),
  },
]

const OF_ONE_HOP = /^(connection|keep-alive|proxy-connection|te)$/i
/** Fields of which node:http2 refuses to send two. */
const SINGLE = ['referer', 'user-agent', 'authorization']

/** Returns whether HTTP/2 cannot carry the request (RFC 9113 §8.2.2), or node:http2 does not send it. */
export function isHttp1Only({ headers = [] }: Request): boolean {
  const names = headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
  return names.some((name, i) => OF_ONE_HOP.test(name) || (SINGLE.includes(name) && names.indexOf(name) < i))
}

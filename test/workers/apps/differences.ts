/** The list of differences: where an answer through a space is not the one on a socket, why, and what of it is the same all the same. */
import type { Comparable } from '../asking.js'

export interface Difference {
  readonly frameworks: RegExp
  /** By the name of the request. */
  readonly requests: RegExp
  readonly reason: string
  /** Leaves out what differs; applied to both sides, which then are equal. */
  alike(side: Comparable): Comparable
}

const without = (field: RegExp) => (side: Comparable) => {
  return { ...side, headers: side.headers.filter((line) => !field.test(line)) }
}

const DIFFERENCES: readonly Difference[] = [
  {
    frameworks: /^(Express|connect|http\.Server)/,
    requests: /(throws|rejects|late-error|%ff|2000002 bytes)/,
    reason: 'In development the error page shows the stack of the error, and that ends where the request came in.',
    alike: (side) => without(/^Content-Length: /)({ ...side, body: side.body.replace(/<br>.*/s, '') }),
  },
  {
    frameworks: /^(Koa|Fastify|h3)/,
    requests: /many-headers/,
    reason:
      'A Latin-1 header is one here. On a socket Node writes it as UTF-8 if it goes out in one piece with a text.',
    alike(side) {
      return { ...side, headers: side.headers.map((line) => line.replace(/caf.*/, 'café')) }
    },
  },
  {
    frameworks: /^(Hono|an Elysia-like)/,
    requests: /(raw|pipe|stream|big|download|compressible)/,
    reason: 'What has no Content-Type gets that of a text from the adapter, whatever it is.',
    alike: without(/^content-type: text\/plain; charset=UTF-8$/),
  },
  {
    frameworks: /^h3/,
    requests: /.*/,
    reason:
      'Its own Response on Node spells the Content-Type of a text with a space and puts it last; the standard one sorts.',
    alike(side) {
      return {
        ...side,
        headers: side.headers.map((line) => line.replace('plain; charset=UTF-8', 'plain;charset=UTF-8')).sort(),
      }
    },
  },
  {
    frameworks: /^h3/,
    requests: /.*/,
    reason: 'The adapter sends no reason phrase where the Response has none; here it is that of its status.',
    alike: (side) => ({ ...side, reason: '' }),
  },
  {
    frameworks: /^h3/,
    requests: /POST \/pipe-back Content-Type application\/octet-stream$/,
    reason: 'A request of no bytes has no body, as the Fetch standard has it. The adapter gives an empty stream.',
    alike: (side) => ({ ...side, headers: [], body: '' }),
  },
  {
    frameworks: /^an Elysia-like/,
    requests: /^HEAD/,
    reason:
      'The adapter counts a body that it does not send, if it has it at hand; to say its length is optional (RFC 9110 §9.3.2).',
    alike: without(/^content-length: /i),
  },
  {
    frameworks: /^an Elysia-like/,
    requests: /teapot/,
    reason: 'The adapter drops the statusText of a Response.',
    alike: (side) => ({ ...side, reason: '' }),
  },
]

export const differencesOf = (framework: string): Difference[] =>
  DIFFERENCES.filter(({ frameworks }) => frameworks.test(framework))

/** Any bytes of a client end with answers alone, run nothing that RFC 9112 forbids, and lose no answer; `npm run fuzz -- edge` is the long form. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { EDGE, Edge, fuzzEdge } from './edge.js'
import { SEEDS } from './edge-seeds.js'
import { keptFor } from './fuzz.js'
import { admissibleIn } from './rfc9112.js'

const RUNS = 400

let edge: Edge
beforeAll(async () => {
  edge = await Edge.open()
})
afterAll(() => edge.close())

test('the inputs to begin from, and those that once were findings, are handled well', async () => {
  for (const input of [...SEEDS, ...keptFor(EDGE)]) {
    for (const cuts of [[], [Math.floor(input.length / 2)]]) expect(await edge.wrongWith(input, cuts)).toBeUndefined()
  }
})

test('changed bytes are handled well', async () => {
  const { reasons, executions } = await fuzzEdge(edge, 1, (so_far) => so_far >= RUNS)
  expect(reasons).toEqual([])
  expect(executions).toBeGreaterThanOrEqual(RUNS)
})

const GET = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n'
const POST = 'POST /b HTTP/1.1\r\nHost: a\r\n'
test.each<[what: string, bytes: string, admitted: string[]]>([
  ['requests one behind the other', `\r\n${GET}${POST}Content-Length: 2\r\n\r\nhi${GET}`, ['/a ', '/b hi', '/a ']],
  ['chunks', `${POST}Transfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\nX: 1\r\n\r\n${GET}`, ['/b hi', '/a ']],
  ['an absolute target', 'GET http://b?x HTTP/1.1\r\nHost: a\r\n\r\n', ['/?x ']],
  ['what is behind a close', `GET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n${GET}`, ['/c ']],
  ['two lengths', `${POST}Content-Length: 0\r\nContent-Length: 0\r\n\r\n${GET}`, []],
  ['a length and chunks', `${POST}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${GET}`, []],
  ['a bare LF', `${GET}GET / HTTP/1.1\nHost: a\r\n\r\n${GET}`, ['/a ']],
  ['no Host', `GET / HTTP/1.1\r\n\r\n${GET}`, []],
  ['an incomplete body', `${GET}${POST}Content-Length: 9\r\n\r\nhi`, ['/a ']],
])('the judge admits what RFC 9112 admits: %s', (_what, bytes, admitted) => {
  expect(admissibleIn(Buffer.from(bytes)).map(({ target, body }) => `${target} ${body}`)).toEqual(admitted)
})

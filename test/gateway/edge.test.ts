/** Bad input gets its status and a closed connection, and nothing of it reaches the space. */
import { describe, expect, test } from '@jest/globals'
import { ask, exchangeBytes, serving, statusOf, wire } from './serving.js'

const get = (head: string, line = 'GET / HTTP/1.1'): string => `${line}\r\n${head}\r\n`
const post = (head: string, body = ''): string => `POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n${body}`
const lines = (n: number): string => Array.from({ length: n }, (_, i) => `X-${i}: 1\r\n`).join('')

const H2C = 'Connection: Upgrade\r\nUpgrade: h2c\r\n'

const REFUSED: [what: string, status: number, bytes: string][] = [
  ['two equal Host headers', 400, get('Host: a\r\nHost: a\r\n')],
  ['two different Host headers', 400, get('Host: a\r\nHost: b\r\n')],
  ['an empty Host', 400, get('Host:\r\n')],
  ['a Host with a path', 400, get('Host: a/b\r\n')],
  ['a Host with user information', 400, get('Host: me@a\r\n')],
  ['a Host with a comma', 400, get('Host: a,b\r\n')],
  ['a Host with a port that is none', 400, get('Host: a:b\r\n')],
  ['an empty Host beside another, asking for h2c', 400, get(`Host:\r\nHost: a\r\n${H2C}`)],
  ['an empty Transfer-Encoding, asking for h2c', 400, get(`Host: a\r\nTransfer-Encoding:\r\n${H2C}`)],
  ['no Host', 400, get('')],
  ['GET *', 400, get('Host: a\r\n', 'GET * HTTP/1.1')],
  ['an absolute target with user information', 400, get('Host: a\r\n', 'GET http://me@a/ HTTP/1.1')],
  ['an absolute target of another scheme', 400, get('Host: a\r\n', 'GET ftp://a/ HTTP/1.1')],
  ['CONNECT', 501, get('Host: a:1\r\n', 'CONNECT a:1 HTTP/1.1')],
  ['TRACE', 501, get('Host: a\r\nX-Secret: s3cret\r\n', 'TRACE / HTTP/1.1')],
  ['an unknown method', 501, get('Host: a\r\n', 'FROBNICATE / HTTP/1.1')],
  [
    'both Content-Length and Transfer-Encoding',
    400,
    post('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  ],
  ['two Content-Lengths', 400, post('Content-Length: 1\r\nContent-Length: 1\r\n', 'x')],
  ['a list as Content-Length', 400, post('Content-Length: 1,1\r\n', 'x')],
  ['a signed Content-Length', 400, post('Content-Length: +1\r\n', 'x')],
  ['a negative Content-Length', 400, post('Content-Length: -1\r\n', 'x')],
  ['a hexadecimal Content-Length', 400, post('Content-Length: 0x1\r\n', 'x')],
  ['a Content-Length with leading zeros', 400, post('Content-Length: 01\r\n', 'x')],
  ['a doubled zero as Content-Length', 400, post('Content-Length: 00\r\n')],
  ['two Transfer-Encodings', 400, post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
  ['an empty Transfer-Encoding', 400, post('Transfer-Encoding:\r\n')],
  ['Transfer-Encoding: xchunked', 400, post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n')],
  ['Transfer-Encoding: identity', 400, post('Transfer-Encoding: identity\r\n')],
  ['Transfer-Encoding: gzip, chunked', 501, post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n')],
  ['Transfer-Encoding in HTTP/1.0', 400, 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a coding with a parameter', 400, post('Transfer-Encoding: chunked;q=1\r\n', '0\r\n\r\n')],
  ['a bare LF in a head', 400, 'GET / HTTP/1.1\nHost: a\n\n'],
  ['a bare LF behind a chunk size', 400, post('Transfer-Encoding: chunked\r\n', '1\nx\r\n0\r\n\r\n')],
  ['a bare LF behind a chunk extension', 400, post('Transfer-Encoding: chunked\r\n', '1;a\nx\r\n0\r\n\r\n')],
  ['HTTP/2.0 in the request line', 505, get('Host: a\r\n', 'GET / HTTP/2.0')],
  ['HTTP/0.9 in the request line', 505, get('Host: a\r\n', 'GET / HTTP/0.9')],
  ['HTTP/3.0 in the request line', 505, get('Host: a\r\n', 'GET / HTTP/3.0')],
  ['the preface of HTTP/2', 505, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a malformed version', 400, get('Host: a\r\n', 'GET / HTTP/x.1')],
  ['a space before a colon', 400, get('Host: a\r\nX-Y : 1\r\n')],
  ['a chunk size that overflows', 400, post('Transfer-Encoding: chunked\r\n', 'fffffffffffffffff\r\n')],
  [
    'a trailer that is a Content-Length',
    400,
    post('Transfer-Encoding: chunked\r\n', '1\r\nx\r\n0\r\nContent-Length: 99\r\n\r\n'),
  ],
  ['a chunk that is malformed', 400, post('Transfer-Encoding: chunked\r\n', 'zz\r\n')],
  ['101 header lines', 431, get(`Host: a\r\n${lines(100)}`)],
  ['2,100 header lines', 431, get(`Host: a\r\n${lines(2_100)}`)],
  ['a header section over 16 KiB', 431, get(`Host: a\r\nX-Long: ${'x'.repeat(17_000)}\r\n`)],
  ['an unknown expectation', 417, post('Expect: miracles\r\nContent-Length: 1\r\n', 'x')],
  ['what is not HTTP', 501, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
]

describe('the edge', () => {
  test.each(REFUSED)('refuses %s with %i and closes', async (_what, status, bytes) => {
    await using s = await serving(() => ({}))
    const text = await exchangeBytes(s.port, bytes)
    expect(statusOf(text)).toBe(status)
    expect(text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1)
    expect(text).toMatch(/connection: close/i)
    expect(text).toMatch(/content-type: application\/problem\+json\r\n/i)
    expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      status,
      code: expect.stringMatching(/^[A-Z_]+$/),
    })
    expect(text).not.toMatch(/s3cret/)
    expect(s.seen).toEqual([])
    expect((await ask(s.port)).status).toBe(200)
  })

  test('takes 100 header lines', async () => {
    await using s = await serving(() => ({}))
    expect(statusOf(await exchangeBytes(s.port, get(`Host: a\r\nConnection: close\r\n${lines(98)}`)))).toBe(200)
  })

  test('takes OPTIONS *', async () => {
    await using s = await serving(() => ({}))
    await exchangeBytes(s.port, get('Host: a\r\nConnection: close\r\n', 'OPTIONS * HTTP/1.1'))
    expect(s.seen[0]).toMatchObject({ method: 'OPTIONS', target: '*' })
  })

  test.each(['a', 'A.example:80', '127.0.0.1:1', '[::1]:8080', 'xn--bcher-kva.example', 'a:'])(
    'takes Host: %s',
    async (host) => {
      await using s = await serving(() => ({}))
      expect(statusOf(await exchangeBytes(s.port, get(`Host: ${host}\r\nConnection: close\r\n`)))).toBe(200)
    },
  )

  test('never lets a name with underscores stand for one with hyphens', async () => {
    await using s = await serving(() => ({}))
    await exchangeBytes(
      s.port,
      get('Host: a\r\nConnection: close\r\nTransfer_Encoding: chunked\r\nContent_Length: 5\r\nX_Own: 1\r\n'),
    )
    expect(s.seen[0]?.headers.join()).not.toMatch(/transfer|length/i)
    expect(s.seen[0]?.headers).toContain('X_Own')
  })

  test('never merges trailers into headers', async () => {
    await using s = await serving(() => ({}))
    const trailers = 'Host: evil\r\nAuthorization: evil\r\nContent-Type: evil\r\n'
    await exchangeBytes(
      s.port,
      post('Connection: close\r\nTransfer-Encoding: chunked\r\n', `1\r\nx\r\n0\r\n${trailers}\r\n`),
    )
    expect(s.seen[0]?.body.toString()).toBe('x')
    expect(s.seen[0]?.headers.join()).not.toMatch(/evil/)
  })

  test('passes on which trailers are announced', async () => {
    await using s = await serving(() => ({}))
    const fields = 'Connection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n'
    await exchangeBytes(s.port, post(fields, '0\r\nX-Sum: 1\r\n\r\n'))
    const { headers, trailers } = s.seen[0]!
    expect(headers[headers.indexOf('Trailer') + 1]).toBe('X-Sum')
    expect(trailers).toEqual(['X-Sum', '1'])
  })

  test('passes on no trailer that claims an origin, is internal, or stands for the framing', async () => {
    const dropped = [
      'X-Forwarded-For',
      'X_Forwarded_Proto',
      'Forwarded',
      'X-Real-IP',
      'X-Takespace-Id',
      'Transfer_Encoding',
    ]
    const trailers = [...dropped, 'X-Sum'].map((name) => `${name}: 1\r\n`).join('')
    await using s = await serving(() => ({ body: Buffer.from('x'), trailers: ['X-Forwarded-For', '1', 'X-Sum', '2'] }))
    const text = await exchangeBytes(
      s.port,
      post('Connection: close\r\nTransfer-Encoding: chunked\r\n', `0\r\n${trailers}\r\n`),
    )
    expect(s.seen[0]?.trailers).toEqual(['X-Sum', '1'])
    expect(text).toMatch(/0\r\nX-Sum: 2\r\n\r\n$/)
  })

  test('answers the requests before a malformed one in step', async () => {
    await using s = await serving(() => ({ body: Buffer.from('first') }))
    const line = await wire(s.port)
    line.send(get('Host: a\r\n'))
    await line.receive((text) => text.endsWith('first'))
    line.send('rubbish\r\n\r\n')
    expect((await line.receive()).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 501'])
  })

  test('serves a request that asks for a protocol which is unknown here as an ordinary one', async () => {
    await using s = await serving(() => ({ body: Buffer.from('plain') }))
    const upgrade = 'Host: a\r\nConnection: upgrade, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
    const text = await exchangeBytes(s.port, get(upgrade))
    expect(statusOf(text)).toBe(200)
  })
})

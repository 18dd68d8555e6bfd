/** The requests of the conformance tests: those of the workers' tests, and what only a client's connection can send. */
import { type Ask, BINARY, nameOf, REQUESTS } from '../workers/apps/requests.js'

export interface Request extends Ask {
  /** The body as chunks, without a length. */
  readonly chunks?: readonly (string | Buffer)[]
  /** Name, value, name, value … */
  readonly trailers?: readonly string[]
}

const get = (path: string, ...headers: string[]): Request => ({ path, headers })
const send = (method: string, path: string, headers: readonly string[], body: string | Buffer): Request => {
  return { method, path, headers, body }
}
const answer = (query: string): Request => get(`/answer?${query}`)

const JSON_TYPE = ['Content-Type', 'application/json']
const TEXT_TYPE = ['Content-Type', 'text/plain']
const BYTES = ['Content-Type', 'application/octet-stream']

const METHODS: Request[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'PROPFIND', 'REPORT'].map(
  (method) => ({ method, path: '/echo?by=method' }),
)

const TARGETS: Request[] = [
  '/echo?',
  '/echo??',
  '/echo?a=b?c',
  '/echo?%00',
  '/echo?%0d%0aX-Split:%201',
  '/echo?a[]=1&a[]=2',
  '/echo?q="quoted"&r=<tag>',
  "/echo?q='|\\^`{}",
  '/echo;matrix=1?x',
  '/%65cho',
  '/echo/',
  '/echo/../echo',
  '/./echo',
  '/echo%2f..%2fjson',
  '/..%2f..%2fetc/passwd',
  '/%c0%ae%c0%ae/',
  '/%E2%82%AC',
  '///',
  '/:colon@at',
  '/*',
  `/${'a/'.repeat(200)}`,
].map((path) => get(path))

const FIELDS: Request[] = [
  get('/echo', 'Accept', 'text/html', 'Accept', 'application/json;q=0.5'),
  get('/echo', 'X-Empty', ''),
  get('/echo', 'X-Spaces', 'a  b\tc'),
  get('/echo', 'x-lower', '1', 'X-UPPER', '2', 'X-MiXeD', '3'),
  get('/echo', "X-!#$%&'*+-.^_`|~", 'token'),
  get('/echo', 'X-Long', 'v'.repeat(8_000)),
  get('/echo', ...Array.from({ length: 60 }, (_, i) => [`X-Field-${i}`, String(i)]).flat()),
  get('/echo', 'Cookie', 'a=1; b=2'),
  get('/echo', 'Cookie', 'a=1', 'Cookie', 'b=2', 'Cookie', 'c'),
  get('/echo', 'User-Agent', 'one', 'User-Agent', 'two'),
  get('/echo', 'Authorization', 'Bearer a.b.c'),
  get('/echo', 'Authorization', 'Basic x', 'Authorization', 'Basic y'),
  get('/echo', 'Forwarded', 'for=1.2.3.4', 'X-Real-IP', '1.2.3.4', 'X-Forwarded-Port', '9'),
  get('/echo', 'Via', '1.1 elsewhere', 'Max-Forwards', '3'),
  get('/echo', 'Accept-Language', 'de', 'Accept-Language', 'en;q=0.1', 'Origin', 'https://a.example'),
  get('/echo', 'Sec-Fetch-Mode', 'cors', 'Priority', 'u=1, i', 'Early-Data', '1'),
  get('/echo', 'X-Request-Id', 'mine-1'),
  get('/echo', 'Traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'),
  get('/echo', 'Content-Type', 'text/plain'),
  get('/echo', 'Content-Length', '0'),
  get('/echo', 'X-Latin', '\u00e4\u00ff'),
  get('/echo', 'X-HTTP-Method-Override', 'DELETE', 'If-Match', '*', 'If-None-Match', 'W/"a", "b"'),
  get('/echo', 'Connection', 'x-hop', 'X-Hop', '1', 'X-End', '2'),
  get('/echo', 'TE', 'trailers', 'Connection', 'te'),
  get('/echo', 'Keep-Alive', 'timeout=9', 'Proxy-Connection', 'keep-alive'),
]

const BODIES: Request[] = [
  ...[1, 2, 1_023, 16_384, 65_535, 65_536, 65_537, 500_000].map((bytes) =>
    send('POST', '/pipe-back', BYTES, Buffer.alloc(bytes, 'ab\0')),
  ),
  send('PUT', '/echo', TEXT_TYPE, 'put'),
  send('DELETE', '/echo', TEXT_TYPE, 'a body with DELETE'),
  send('GET', '/echo', TEXT_TYPE, 'a body with GET'),
  send('OPTIONS', '/echo', TEXT_TYPE, 'a body with OPTIONS'),
  send('POST', '/echo', [...TEXT_TYPE, 'Expect', '100-continue'], 'expected'),
  send('POST', '/json', ['Content-Type', 'application/json; charset=latin1'], '{"a":"\u00e4"}'),
  send('POST', '/json', ['Content-Type', 'APPLICATION/JSON'], '[]'),
  send('POST', '/json', ['Content-Type', ''], '{}'),
  send('POST', '/text', TEXT_TYPE, '\ufeffmarked'),
  send('POST', '/form', ['Content-Type', 'application/x-www-form-urlencoded'], 'a=1&a=2&b[c]=3&%zz'),
  send('POST', '/raw', [...BYTES, 'Content-Encoding', 'identity'], BINARY.subarray(0, 99)),
  send('POST', '/raw', [...BYTES, 'Digest', 'sha-256=x', 'Content-MD5', 'y'], 'checked'),
  { method: 'POST', path: '/pipe-back', headers: BYTES, chunks: ['one', 'two', Buffer.of(0, 255), 'four'] },
  { method: 'POST', path: '/pipe-back', headers: BYTES, chunks: Array.from({ length: 200 }, (_, i) => `${i};`) },
  { method: 'POST', path: '/pipe-back', headers: BYTES, chunks: [Buffer.alloc(300_000, 1), 'end'] },
  { method: 'POST', path: '/pipe-back', headers: BYTES, chunks: [] },
  { method: 'POST', path: '/json', headers: JSON_TYPE, chunks: ['{"a"', ':1}'] },
  { method: 'PUT', path: '/seen', headers: TEXT_TYPE, chunks: ['a', 'b'], trailers: ['X-Sum', '2', 'X-After', 'end'] },
  { method: 'POST', path: '/pipe-back', chunks: ['trailed'], trailers: ['X-Sum', '7'] },
]

const ANSWERS: Request[] = [
  ...[
    200, 201, 202, 203, 206, 207, 226, 299, 300, 305, 308, 400, 402, 410, 426, 428, 451, 499, 500, 505, 511, 599, 999,
  ].map((status) => answer(`status=${status}&body=${status}`)),
  ...[204, 205, 304].map((status) => answer(`status=${status}`)),
  answer('status=304&field=Content-Length:5&field=ETag:"a"'),
  answer('reason=As+It+Likes'),
  answer('field=Set-Cookie:a=1&field=Set-Cookie:b=2;+HttpOnly&field=Set-Cookie:a=3'),
  answer('field=Vary:a&field=Vary:b&field=vary:c'),
  answer('field=WWW-Authenticate:Basic+realm="a,b"&field=WWW-Authenticate:Bearer&status=401'),
  answer('field=Link:</a>;+rel=next&field=Link:</b>;+rel=prev'),
  answer('field=X-Empty:&field=X-Spaces:a++b'),
  answer('field=x-lower:1&field=X-UPPER:2'),
  answer('field=Location:/%C3%A4?x=y%23z&status=302'),
  answer('field=X-Latin:%C3%A4'),
  answer(`field=X-Long:${'v'.repeat(8_000)}`),
  answer('field=Retry-After:3&field=Cache-Control:no-store&status=503&body=later'),
  answer('field=Content-Type:text/html&field=Content-Language:de&body=<p>'),
  answer('field=Content-Encoding:gzip&body=not+zipped'),
  answer('field=Content-Length:4&body=four'),
  answer('field=Server:mine&field=X-Powered-By:me&field=Via:1.1+me&field=Date:Thu,+01+Jan+1970+00:00:00+GMT'),
  answer('field=X-Request-Id:own'),
  answer('field=Connection:X-Hop&field=X-Hop:1&field=X-End:2'),
  answer('field=Keep-Alive:timeout=1&field=Proxy-Connection:close'),
  answer('field=Connection:close&body=bye'),
  answer('field=Access-Control-Allow-Origin:*&field=Strict-Transport-Security:max-age=1&field=Alt-Svc:clear'),
  ...['end', 'nothing', 'write-twice', 'encoding', 'bytes', 'write-head', 'write-head-list', 'write-head-mixed'].map(
    (way) => get(`/${way}`),
  ),
  ...['chunked', 'trailers', 'length', 'latin1', 'flushed', 'continue', 'not-modified', 'no-content', 'connection'].map(
    (way) => get(`/${way}`),
  ),
  ...['bad-header', 'flags', 'slow-writes', 'reused-memory'].map((way) => get(`/${way}`)),
]

/** Many are under way at a time, so none may depend on the one before. */
const INDEPENDENT = REQUESTS.filter(({ path }) => path !== '/visits')

/** Of a framework's app. */
const OF_FRAMEWORKS: readonly Request[] = [...INDEPENDENT, ...METHODS, ...TARGETS, ...FIELDS, ...BODIES]
/** Of the bare listener, which answers more. */
const OF_BARE: readonly Request[] = [...OF_FRAMEWORKS, ...ANSWERS]

export const requestsOf = (framework: string): readonly (readonly [string, Request])[] => {
  const names = new Map<string, number>()
  return (framework === BARE ? OF_BARE : OF_FRAMEWORKS).map((request) => {
    const { chunks, trailers } = request
    const name = [nameOf(request), chunks && `${chunks.length} chunks`, trailers && 'trailers']
      .filter(Boolean)
      .join(', ')
    const times = (names.get(name) ?? 0) + 1
    names.set(name, times)
    return [times === 1 ? name : `${name} (${times})`, request] as const
  })
}

export const BARE = 'a bare listener'

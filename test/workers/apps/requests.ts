/** The one list of requests that every framework is asked, on a socket and through a space. */

export interface Ask {
  readonly method?: string
  readonly path: string
  readonly headers?: readonly string[]
  readonly body?: string | Buffer
}

export const BINARY = Buffer.from(Array.from({ length: 1 << 18 }, (_, i) => (i * 31 + (i >> 8)) & 255))

const type = (value: string, ...more: string[]): string[] => ['Content-Type', value, ...more]
const json = type('application/json')
const form = type('application/x-www-form-urlencoded')
const text = type('text/plain; charset=utf-8')
const bytes = type('application/octet-stream')
/** gzip of {"zipped":true}, for parsers that inflate. */
const ZIPPED = Buffer.from('H4sIAAAAAAAAA6tWqsosKEhNUbIqKSpNrQUAhCi8CA8AAAA=', 'base64')

const get = (path: string, ...headers: string[]): Ask => ({ path, headers })
const head = (path: string, ...headers: string[]): Ask => ({ path, method: 'HEAD', headers })
const post = (path: string, headers: string[], body: string | Buffer = '', method = 'POST'): Ask => {
  return { path, method, headers, body }
}

export const REQUESTS: readonly Ask[] = [
  get('/'),
  head('/'),
  { path: '/', method: 'OPTIONS' },
  { path: '/', method: 'DELETE' },
  get('/nowhere'),
  head('/nowhere'),
  post('/nowhere', json, '{"a":1}'),
  get('/json'),
  head('/json'),
  get('/page'),

  get('/echo?a=1&a=2&b%5Bc%5D=d%20e&empty=&plus=+'),
  { path: '/echo', method: 'DELETE' },
  post('/echo', text, 'x', 'PATCH'),
  get('/echo', 'X-Twice', '1', 'x-twice', '2', 'Cookie', 'a=1', 'Cookie', 'b=2', 'Referer', 'a', 'Referer', 'b'),
  get('/echo', 'X-Forwarded-For', '10.1.2.3', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'shop.example'),
  get('/echo', 'X-Latin', 'caf\u00e9', 'X-Empty', '', 'User-Agent', 'test/1.0'),
  get(`/echo?long=${'x'.repeat(4_000)}`),
  get('/users/42'),
  get('/users/J%C3%BCrgen%20K%2F1'),
  get('/users/%ff'),
  get('//double//slash'),
  get('/a/../json'),
  get('/JSON'),
  get('/json/'),
  get('/mounted/deep/leaf?x=1'),
  get('/mounted/nowhere'),

  post('/json', json, '{"a":[1,"ü",null]}'),
  post('/json', type('application/json; charset=utf-8'), '{"emoji":"\u{1F600}"}'),
  post('/json', json, '{"a":'),
  post('/json', json),
  post('/json', json, JSON.stringify('x'.repeat(50_000))),
  post('/json', json, JSON.stringify('x'.repeat(2_000_000))),
  post('/json', type('application/json', 'Content-Encoding', 'gzip'), ZIPPED),
  post('/json', type('application/json', 'Expect', '100-continue'), '{"a":1}'),
  post('/form', form, 'a=1&b=2&c=%C3%BC+'),
  post('/form', form),
  post('/text', text, 'hällo'),
  post('/raw', bytes, BINARY),
  post('/raw', bytes, Buffer.of(0, 13, 10, 255)),
  post('/pipe-back', bytes, BINARY),
  post('/pipe-back', bytes),
  post('/unread', bytes, BINARY),
  post('/items/7', json, '{"name":"x"}', 'PUT'),
  post('/items/7', json, '{"name":"y"}', 'PATCH'),
  { path: '/items/7', method: 'DELETE' },

  get('/stream'),
  head('/stream'),
  get('/pipe'),
  head('/pipe'),
  get('/big'),
  head('/big'),
  get('/file'),
  head('/file'),
  get('/file', 'Range', 'bytes=3-9'),
  get('/file', 'Range', 'bytes=-5'),
  get('/file', 'Range', 'bytes=0-1,5-6'),
  get('/file', 'Range', 'bytes=99999999-'),
  get('/file', 'If-Modified-Since', 'Fri, 01 Jan 2999 00:00:00 GMT'),
  get('/download'),
  get('/compressible', 'Accept-Encoding', 'gzip'),
  get('/compressible', 'Accept-Encoding', 'identity'),
  head('/compressible', 'Accept-Encoding', 'gzip'),

  get('/redirect'),
  head('/redirect'),
  post('/see-other', form, 'a=1'),
  get('/moved'),
  get('/cookies'),
  get('/cookie', 'Cookie', 'plain=1; words=two%20words; sign=%C3%A4%3Db'),
  get('/visits'),
  get('/visits', 'Cookie', 'connect.sid=s%3Anobody.nothing'),
  get('/private'),
  get('/private', 'Authorization', `Basic ${Buffer.from('ann:secret').toString('base64')}`),
  get('/many-headers'),
  get('/empty'),
  head('/empty'),
  get('/teapot'),
  get('/etag'),
  get('/etag', 'If-None-Match', '"v1"'),
  head('/etag', 'If-None-Match', '"v0"'),
  get('/hints'),
  get('/slow'),
  get('/throws'),
  head('/throws'),
  get('/rejects'),
  get('/late-error'),
  get('/error-page'),
]

/** As it stands in the names of tests and in the list of differences. */
export function nameOf({ method = 'GET', path, headers = [], body = '' }: Ask): string {
  const size = body.length > 0 ? `, ${body.length} bytes` : ''
  return `${method} ${path.slice(0, 60)} ${headers.join(' ').slice(0, 60)}${size}`.trim()
}

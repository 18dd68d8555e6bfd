/** Bytes of clients to begin from, and the pieces that they are changed with. */

const get = (target = '/', fields = 'Host: a\r\n'): string => `GET ${target} HTTP/1.1\r\n${fields}\r\n`
const post = (fields: string, body: string): string => `POST /post HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

export const SEEDS: readonly Buffer[] = [
  get(),
  get('/one') + get('/two') + get('/three'),
  get('http://b/absolute?x=1', 'Host: a\r\nCookie: a=1\r\n'),
  get('/close', 'Host: a\r\nConnection: close\r\n') + get('/behind'),
  'GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /old HTTP/1.0\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nHEAD /head HTTP/1.1\r\nHost: a\r\n\r\n',
  post('Content-Length: 5\r\n', 'hello') + get('/behind'),
  post(CHUNKED, '5\r\nhello\r\n6;x=1\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n') + get('/behind'),
  post('Expect: 100-continue\r\nContent-Length: 2\r\n', 'hi') + get('/behind'),
  post('Content-Length: 40\r\n', get('/inside').padEnd(40)) + get('/behind'),
  get('/h2c', `Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n`) + get('/behind'),
  get() + get('/ws', `Host: a\r\n${UPGRADE}`) + get('/behind'),
].map((text) => Buffer.from(text, 'latin1'))

export const PIECES: readonly string[] = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    '\n\n',
    ' ',
    '\t',
    '\x0b',
    '\0',
    '\xff',
    ':',
    ',',
    ';',
    '"',
    '%00',
    '#',
    '?',
    '//',
  ],
  ...[
    '0',
    '00',
    '5',
    '-1',
    '+5',
    '0x5',
    '1e3',
    '99999999999999999999',
    'fffffffffffffffff',
    '0\r\n\r\n',
    '5\r\nhello\r\n',
  ],
  ...['Content-Length: 0\r\n', 'Content-Length: 5\r\n', 'Content-Length : 5\r\n', 'Content_Length: 5\r\n'],
  ...['Content-Length: 5, 5\r\n', 'Content-Length:\r\n', 'content-length: 60\r\n'],
  ...[CHUNKED, 'Transfer-Encoding: gzip, chunked\r\n', 'Transfer-Encoding: xchunked\r\n', 'Transfer-Encoding:\r\n'],
  ...['Transfer-Encoding : chunked\r\n', 'Transfer-Encoding:\x0bchunked\r\n', 'Transfer-Encoding: identity\r\n'],
  ...['Transfer_Encoding: chunked\r\n', ' Transfer-Encoding: chunked\r\n', 'Transfer-Encoding:\r\n chunked\r\n'],
  ...['Host: a\r\n', 'Host: b\r\n', 'Host:\r\n', 'Host: a, b\r\n', 'X-Forwarded-For: 1.2.3.4\r\n', 'X\r\n'],
  ...['Connection: close\r\n', 'Connection: keep-alive\r\n', 'Connection: Upgrade\r\n', 'Connection: host\r\n'],
  ...['Upgrade: websocket\r\n', 'Upgrade: h2c\r\n', 'Expect: 100-continue\r\n', 'Expect: x\r\n', 'Trailer: X-Sum\r\n'],
  ...[
    'GET',
    'HEAD',
    'POST',
    'CONNECT',
    'TRACE',
    'OPTIONS',
    'PRI',
    'get',
    ' HTTP/1.1',
    ' HTTP/1.0',
    ' HTTP/2.0',
    ' HTTP/0.9',
  ],
  ...[
    get('/smuggled'),
    post('Content-Length: 5\r\n', 'hello'),
    post(CHUNKED, '0\r\n\r\n'),
    UPGRADE,
    'chunked',
    'http://',
  ],
]

/** Addresses and settings of a connection: each wrong one is refused before anything is sent, by name and with advice. */
import { inspect } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import type { OpenOptions } from '../../src/index.js'
import { openSpace } from '../../src/index.js'
import { failOnLeaks } from '../support/leaks.js'

/** Any part of a password in an error is found by this. */
const SECRET = 's3cret'

const refusalOf = async (url: string, options: OpenOptions = {}): Promise<Error> => {
  const error = await openSpace(url, { connectTimeoutMs: 1_000, ...options }).then(
    () => new Error('it was opened'),
    (reason) => reason,
  )
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET)
  return error
}

describe('an address', () => {
  test.each([
    ['port 0', 'redis://127.0.0.1:0', /port is 0.*1 to 65535/],
    ['a port beyond all ports', 'redis://127.0.0.1:65536', /redis:\/\/host:6379/],
    ['a database that is a name', 'redis://127.0.0.1/orders', /database must be a number/],
    ['a database below 0', 'redis://127.0.0.1/-1', /database must be a number/],
    ['a database with a fraction', 'redis://127.0.0.1/1.5', /database must be a number/],
    ['a database in hexadecimal', 'redis://127.0.0.1/0x1', /database must be a number/],
    ['a database beyond 32 bits', 'redis://127.0.0.1/4294967296', /database must be a number/],
    ['two databases', 'redis://127.0.0.1/1?db=2', /two databases/],
    ['one parameter twice', 'redis://127.0.0.1?db=2&db=3', /parameter db twice/],
    ['an empty parameter', 'redis://127.0.0.1?db=', /parameter db is empty/],
    ['an unknown parameter', 'redis://127.0.0.1?databse=2', /unknown parameter databse.* There are db, /],
    ['a mistyped parameter', 'rediss://127.0.0.1?servernam=x', /servernam\. Did you mean servername\?/],
    ['a parameter of another client', 'redis://127.0.0.1?ssl_cert_reqs=none', /unknown parameter ssl_cert_reqs/],
    ['a password with a question mark', `redis://u:1/?${SECRET}=@127.0.0.1`, /In a password, write \? as %3F/],
    ['two passwords', `redis://:${SECRET}@127.0.0.1?passwordFile=/x`, /a password and a passwordFile/],
    ['TLS settings without TLS', 'redis://127.0.0.1?ca=/ca.pem', /ca is a setting of TLS.*rediss:\/\//],
    ['TLS settings of a unix socket', 'unix:///r.sock?ca=/ca.pem', /ca is a setting of TLS/],
    ['a path of a socket under redis:', 'redis:///tmp/x.sock', /unix:\/\/\/path\/to\/redis\.sock/],
    ['a bare path', '/tmp/x.sock', /unix:\/\/\/path/],
    ['a socket with one slash', 'unix:/tmp/x.sock', /unix:\/\/\/path/],
    ['a socket with a relative path', 'unix://tmp/x.sock', /unix:\/\/\/path/],
    ['a socket without a path', 'unix:///', /unix:\/\/\/path/],
    ['a socket of another client', 'redis+unix:///tmp/x.sock', /unix:\/\/\/path/],
    ['a socket with a database in its path only', 'unix:///x.sock?db=two', /database must be a number/],
    ['no scheme', 'localhost:6379', /scheme is missing: write redis:\/\//],
    ['a host alone', 'cache.internal', /scheme is missing/],
    ['one slash', 'redis:/127.0.0.1', /Two slashes/],
    ['the scheme of Valkey', 'valkey://127.0.0.1', /write redis:\/\//],
    ['Sentinels without the name of the primary', 'redis+sentinel://127.0.0.1', /with the name of the primary/],
    ['an empty host among Sentinels', 'redis+sentinel://a,,b/main', /with the name of the primary/],
    ['the minus of other clients', 'redis-sentinel://a/main', /Write redis\+sentinel:\/\/.*with a plus/],
    ['a database of a Cluster without a number', 'redis+cluster://a,b/x', /database must be a number/],
    ['partitions that are no number', 'redis+cluster://a?partitions=many', /partitions must be a number from 1 to 256/],
    ['partitions of a single server', 'redis://a?partitions=3', /unknown parameter partitions/],
    ['two passwords of the Sentinels', 'redis+sentinel://a/m?sentinelPassword=x&sentinelPasswordFile=y', /one of them/],
    ['a setting of Sentinels on a Cluster', 'redis+cluster://a?sentinelPassword=x', /unknown parameter/],
    ['a space before it', ' redis://127.0.0.1', /has a space/],
    ['a line break behind it', 'memory\n', /has a space/],
    ['a % that encodes nothing', `redis://:${SECRET}%zz@127.0.0.1`, /write a % as %25/],
  ])('%s', async (_what, url, says) => {
    const { code, message } = (await refusalOf(url)) as Error & { code?: string }
    expect({ code, message }).toEqual({ code: 'URL_UNKNOWN', message: expect.stringMatching(says) })
  })
})

describe('a setting', () => {
  test.each<[string, string, OpenOptions, RegExp]>([
    ['tls without TLS', 'redis://127.0.0.1', { tls: { servername: 'x' } }, /servername is a setting of TLS/],
    [
      'an unknown name in tls',
      'rediss://127.0.0.1',
      { tls: { caa: 'x' } as object },
      /no option caa\. Did you mean ca\?/,
    ],
    ['an empty ca', 'rediss://127.0.0.1', { tls: { ca: '' } }, /tls\.ca must be a text/],
    ['a servername of bytes', 'rediss://h', { tls: { servername: Buffer.from('x') as never } }, /tls\.servername must/],
    ['a cert without its key', 'rediss://127.0.0.1', { tls: { cert: 'x' } }, /cert and key together/],
    ['a ca file that is not there', 'rediss://127.0.0.1', { tls: { ca: '/no/ca.pem' } }, /\/no\/ca\.pem.*ENOENT/],
    ['a password file that is not there', 'redis://u@127.0.0.1?passwordFile=/no/file', {}, /\/no\/file.*ENOENT/],
    ['a password file that is empty', 'redis://127.0.0.1?passwordFile=/dev/null', {}, /password file.*is empty/],
    ['credentials that are no function', 'redis://127.0.0.1', { credentials: 'x' as never }, /must be a function/],
    ['credentials of nothing', 'redis://127.0.0.1', { credentials: () => undefined as never }, /must return/],
    ['credentials with an empty password', 'redis://h', { credentials: () => ({ password: '' }) }, /must return/],
  ])('%s', async (_what, url, options, says) => {
    const { code, message } = (await refusalOf(url, options)) as Error & { code?: string }
    expect(code).toMatch(/^(INVALID_ARGUMENT|URL_UNKNOWN)$/)
    expect(message).toMatch(says)
  })
})

failOnLeaks()

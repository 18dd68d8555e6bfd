/** HTTPS on the front: certificates by name, read again when they change, and those of clients (docs/tls.md). */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import { describe, expect, test } from '@jest/globals'
import type { GatewayOptions, HttpsOptions } from '../../gateway/index.js'
import { isSpaceError } from '../../src/errors.js'
import { type Certificate, createAuthority } from '../support/certificates.js'
import { failOnLeaks } from '../support/leaks.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'
import { type Served, serving } from './serving.js'

const { folder } = scratch('tls')
const authority = createAuthority(folder, 'authority')
const first = authority.sign('first', 'DNS:first.example,DNS:*.first.example,IP:127.0.0.1')
const second = authority.sign('second', 'DNS:second.example')
const client = authority.sign('client', 'DNS:client')
const stranger = createAuthority(folder, 'other').sign('stranger', 'DNS:client')

const files = ({ cert, key }: Certificate) => ({ certFile: cert, keyFile: key })
const secure = (tls: Partial<HttpsOptions> = {}, options: Partial<GatewayOptions> = {}): Promise<Served> =>
  serving(({ headers, peer, secure }) => ({ body: Buffer.from(JSON.stringify({ headers, peer, secure })) }), {
    ...options,
    tls: { certificates: [files(first), files(second)], ...tls },
  })

interface Asked {
  readonly servername?: string
  readonly with?: Certificate
  readonly headers?: string
}

/** One request by HTTP/1.1; returns the answer's text and the certificate that the gateway has shown. */
function asked(
  port: number,
  { servername, with: own, headers = '' }: Asked = {},
): Promise<{
  text: string
  shown: PeerCertificate
}> {
  const pem = own && { cert: readFileSync(own.cert), key: readFileSync(own.key) }
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    port,
    servername,
    ca: readFileSync(authority.cert),
    checkServerIdentity: () => undefined,
    ALPNProtocols: ['http/1.1'],
    ...pem,
  })
  return new Promise((resolve, reject) => {
    let [text, shown] = ['', {} as PeerCertificate]
    socket.on('error', reject).on('secureConnect', () => {
      shown = socket.getPeerCertificate()
      socket.write(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${headers}\r\n`)
    })
    socket.on('data', (bytes) => {
      text += bytes
    })
    socket.on('close', () => (text ? resolve({ text, shown }) : reject(new Error('closed without an answer'))))
  })
}

const nameOf = ({ shown }: { shown: PeerCertificate }): string => String(shown.subject.CN)
const bodyOf = ({ text }: { text: string }) => JSON.parse(text.slice(text.indexOf('\r\n\r\n')))

describe('a gateway with tls', () => {
  test('serves HTTP/1.1; the app sees a secure connection and the address of its peer', async () => {
    await using s = await secure()
    expect(s.gateway.url).toBe(`https://127.0.0.1:${s.port}`)
    const answer = await asked(s.port)
    expect(answer.text).toMatch(/^HTTP\/1\.1 200 /)
    expect(bodyOf(answer)).toMatchObject({ peer: '127.0.0.1', secure: true })
  })

  test.each([
    ['first.example', 'first'],
    ['a.first.example', 'first'],
    ['second.example', 'second'],
    ['unknown.example', 'first'],
    [undefined, 'first'],
  ])('shows the certificate for the name that a client asks for: %s', async (servername, name) => {
    await using s = await secure()
    expect(nameOf(await asked(s.port, { servername }))).toBe(name)
  })

  test('reads the files again when they change, without a restart; a file that is no certificate changes nothing', async () => {
    const now = { cert: join(folder, 'now.pem'), key: join(folder, 'now.key') }
    const put = ({ cert, key }: Certificate): void => {
      copyFileSync(key, now.key)
      copyFileSync(cert, now.cert)
    }
    put(first)
    const errors: string[] = []
    const logger = { debug() {}, info() {}, warn() {}, error: (_: unknown, text?: string) => errors.push(String(text)) }
    await using s = await secure({ certificates: [files(now)] }, { logger })
    expect(nameOf(await asked(s.port))).toBe('first')
    put(second)
    for (const servername of [undefined, 'second.example'])
      await until(async () => nameOf(await asked(s.port, { servername })) === 'second', 'the new one is shown')
    writeFileSync(now.cert, 'nonsense')
    await s.gateway.reloadCertificates()
    expect(errors).toEqual(['a certificate cannot be used; the former ones stay in use'])
    expect(nameOf(await asked(s.port))).toBe('second')
    put(first)
    await s.gateway.reloadCertificates()
    expect(nameOf(await asked(s.port))).toBe('first')
  })

  test('keeps the authorities of clients if their file becomes no certificate', async () => {
    const clientCaFile = join(folder, 'clients.pem')
    copyFileSync(authority.cert, clientCaFile)
    const errors: string[] = []
    const logger = { debug() {}, info() {}, warn() {}, error: (_: unknown, text?: string) => errors.push(String(text)) }
    await using s = await secure({ clientCaFile, clientCertificates: 'require' }, { logger })
    const half = readFileSync(authority.cert, 'utf8').slice(0, 200)
    for (const content of ['', 'nonsense', half]) {
      writeFileSync(clientCaFile, content)
      errors.length = 0
      await s.gateway.reloadCertificates()
      expect(errors).toContain('a certificate cannot be used; the former ones stay in use')
      expect((await asked(s.port, { with: client })).text).toMatch(/^HTTP\/1\.1 200 /)
    }
  })

  test('passes a verified certificate of a client on as Client-Cert, and no other', async () => {
    await using s = await secure({ clientCaFile: authority.cert, clientCertificates: 'ask' })
    const certOf = async (options: Asked): Promise<string | undefined> => {
      const { headers } = bodyOf(await asked(s.port, options)) as { headers: string[] }
      const at = headers.findIndex((name) => name.toLowerCase() === 'client-cert')
      return at < 0 ? undefined : headers[at + 1]
    }
    const pem = readFileSync(client.cert, 'utf8').replace(/-----[^-]+-----|\s/g, '')
    expect(await certOf({ with: client })).toBe(`:${pem}:`)
    expect(await certOf({ with: client, headers: 'Client-Cert: :AAAA:\r\n' })).toBe(`:${pem}:`)
    expect(await certOf({})).toBeUndefined()
    expect(await certOf({ headers: 'Client-Cert: :AAAA:\r\n' })).toBeUndefined()
    expect(await certOf({ with: stranger })).toBeUndefined()
  })

  test('refuses connections without a valid certificate if one is required', async () => {
    await using s = await secure({ clientCaFile: authority.cert, clientCertificates: 'require' })
    expect((await asked(s.port, { with: client })).text).toMatch(/^HTTP\/1\.1 200 /)
    for (const own of [undefined, stranger]) await expect(asked(s.port, { with: own })).rejects.toThrow()
  })

  test.each([
    ['no certificate', { certificates: [] }, /certificates/],
    ['an unknown option', { certificate: 'a' }, /certificate/],
    ['a missing file', { certificates: [{ certFile: '/missing.pem', keyFile: '/missing.key' }] }, /missing\.pem/],
    ['another key', { certificates: [{ certFile: first.cert, keyFile: second.key }] }, /key/],
    ['authorities that are none', { clientCaFile: first.key, clientCertificates: 'ask' }, /first\.key.*no certificate/],
    ['authorities for no use', { clientCaFile: authority.cert }, /clientCertificates/],
  ])('refuses %s by name', async (_what, tls, message) => {
    const error = await secure(tls as Partial<HttpsOptions>).then(
      () => undefined,
      (reason) => reason,
    )
    expect(isSpaceError(error, 'INVALID_ARGUMENT') && error.message).toMatch(message)
  })
})

failOnLeaks()

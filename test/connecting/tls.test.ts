/** TLS: by URL, option and setting; the reason of a failed handshake is told, and what to do. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineEntry, openSpace, type TlsOptions } from '../../src/index.js'
import { type Certificate, createAuthority } from '../support/certificates.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'

const Job = defineEntry<{ id: number; text?: string }>('Job')

interface Served {
  readonly redis: Redis
  readonly port: number
}

describeOnRedis('TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-tls-'))
  const authority = createAuthority(folder, 'authority')
  const stranger = createAuthority(folder, 'stranger')
  const client = authority.sign('client', 'DNS:client')
  const serve = async ({ cert, key }: Certificate, auth: 'yes' | 'no'): Promise<Served> => {
    const port = await freePort()
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', authority.cert]
    const redis = await startRedis({ args: ['--tls-port', String(port), '--tls-auth-clients', auth, ...files] })
    return { redis, port }
  }
  let plain: Served
  let asking: Served
  let ended: Served
  beforeAll(async () => {
    plain = await serve(authority.sign('server', 'DNS:localhost,DNS:redis.internal'), 'no')
    asking = await serve(authority.sign('asking', 'IP:127.0.0.1'), 'yes')
    ended = await serve(authority.sign('ended', 'IP:127.0.0.1', -1), 'no')
  })
  afterAll(async () => {
    await Promise.all([plain, asking, ended].map(({ redis }) => redis.stop()))
    rmSync(folder, { recursive: true, force: true })
  })

  const works = async (url: string, tls?: TlsOptions): Promise<void> => {
    await using space = await openSpace(url, { tls })
    // Large: over the connection for bodies, too.
    await space.write(Job({ id: 1, text: 'x'.repeat(100_000) }))
    expect(await space.take(Job, { waitMs: 0 })).toMatchObject({ id: 1 })
  }

  test('with files named in the URL', async () => {
    await works(`rediss://localhost:${plain.port}/2?ca=${authority.cert}`)
    await works(`rediss://127.0.0.1:${plain.port}?ca=${authority.cert}&servername=redis.internal`)
    const { cert, key } = client
    await works(`rediss://127.0.0.1:${asking.port}?ca=${authority.cert}&cert=${cert}&key=${key}`)
  })

  test('with files and with their contents as options', async () => {
    const url = `rediss://127.0.0.1:${asking.port}`
    await works(url, { ca: authority.cert, cert: client.cert, key: client.key })
    const [ca, cert, key] = [authority.cert, client.cert, client.key].map((file) => readFileSync(file))
    await works(url, { ca, cert, key })
    await works(url, { ca: String(ca), cert: String(cert), key: String(key) })
  })

  test('with settings of the command line and of the environment', async () => {
    const flags = ['--tls-ca', authority.cert, '--tls-cert', client.cert, '--tls-key', client.key]
    const doctor = startProcess(['takespace', 'doctor', '--url', `rediss://127.0.0.1:${asking.port}`, ...flags])
    await doctor.exited
    expect(doctor.output()).toMatch(/^ok .*version/m)
    const env = { TAKESPACE_TLS_CA: authority.cert, TAKESPACE_TLS_SERVERNAME: 'redis.internal' }
    const list = startProcess(['takespace', 'ls', '--url', `rediss://127.0.0.1:${plain.port}`], { env })
    expect({ ...(await list.exited), output: list.output() }).toMatchObject({
      code: 0,
      output: expect.stringMatching(/Job/),
    })
  })

  test.each<[string, () => string, TlsOptions | undefined, RegExp]>([
    [
      'an authority that is not known',
      () => `rediss://localhost:${plain.port}`,
      undefined,
      /not signed by a known.*give its ca/,
    ],
    ['another authority', () => `rediss://localhost:${plain.port}`, { ca: stranger.cert }, /not signed by a known/],
    ['another name', () => `rediss://127.0.0.1:${plain.port}`, { ca: authority.cert }, /for other names.*servername/],
    [
      'a servername that it does not have',
      () => `rediss://localhost:${plain.port}`,
      { ca: authority.cert, servername: 'other' },
      /other names/,
    ],
    ['a certificate that has ended', () => `rediss://127.0.0.1:${ended.port}`, { ca: authority.cert }, /its period/],
    [
      'no certificate where one is asked for',
      () => `rediss://127.0.0.1:${asking.port}`,
      { ca: authority.cert },
      /cert and key/,
    ],
  ])('%s is refused at once, with what to do', async (_what, url, tls, says) => {
    const error = await openSpace(url(), { tls, connectTimeoutMs: 20_000 }).catch((reason) => reason)
    expect({ code: error.code, message: error.message }).toEqual({
      code: 'TLS_FAILED',
      message: expect.stringMatching(says),
    })
    const parameters = Object.entries(tls ?? {}).flatMap(([name, value]) => [`--tls-${name}`, String(value)])
    const doctor = startProcess(['takespace', 'doctor', '--url', url(), ...parameters])
    expect((await doctor.exited).code).toBe(1)
    expect(doctor.output()).toMatch(says)
  })

  test.each([
    ['TLS to a port without TLS', () => `rediss://127.0.0.1:${plain.redis.port}`, /does not speak TLS, write redis:/],
    ['no TLS to a port with TLS', () => `redis://127.0.0.1:${plain.port}`, /expects TLS, write rediss:/],
  ])('%s: the error says what may be wrong', async (_what, url, says) => {
    await expect(openSpace(url(), { connectTimeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'SPACE_UNREACHABLE',
      message: expect.stringMatching(says),
    })
  })
})

failOnLeaks()

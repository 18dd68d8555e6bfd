/** The admin port: three probes and /metrics over HTTP. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SpaceError } from '../errors.js'
import { isKnownHost } from './known-hosts.js'
import type { ProbeResult, Probes } from './probes.js'

/** The content of /metrics. */
export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
}

/** Where an admin port listens, and the names beside its own under which it is asked. */
export interface AdminAddress {
  readonly host: string
  readonly port: number
  readonly allowedHosts: readonly string[]
}

export interface AdminServer {
  readonly port: number
  close(): Promise<void>
}

/**
 * Resolves when the port is open. Rejects with PORT_TAKEN, or INVALID_ARGUMENT for an address that is not of this
 * machine.
 */
export function serveAdmin(at: AdminAddress, probes: Probes, metrics: Metrics): Promise<AdminServer> {
  const { host, port, allowedHosts } = at
  const answers: Readonly<Record<string, () => Promise<Answer>>> = {
    '/livez': async () => probeAnswer(probes.live()),
    '/startupz': async () => probeAnswer(probes.started()),
    '/readyz': async () => probeAnswer(await probes.ready()),
    '/metrics': async () => ({
      status: 200,
      fields: { 'Content-Type': metrics.contentType },
      text: await metrics.text(),
    }),
  }
  const answerTo = async ({ method = '', url = '', headers }: IncomingMessage): Promise<Answer> => {
    if (!isKnownHost(headers.host, host, allowedHosts)) {
      return plain(421, 'This admin port does not answer that host: add its name to --admin-allowed-hosts.\n')
    }
    const answer = answers[url.split('?', 1)[0] as string]
    if (!answer || !READING.has(method)) return plain(404, 'The pages are /livez, /startupz, /readyz and /metrics.\n')
    return answer().catch(() => plain(500, 'This page failed.\n'))
  }
  const server = createServer(async (req, res) => {
    const { status, fields, text } = await answerTo(req)
    res.writeHead(status, { ...fields, 'Content-Length': Buffer.byteLength(text) }).end(text)
  })
  return new Promise((resolve, reject) => {
    // Later errors are of single connections; the server goes on.
    server.on('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen(port, host, () => {
      resolve({ port: (server.address() as AddressInfo).port, close: () => closeServer(server) })
    })
  })
}

interface Answer {
  readonly status: number
  readonly fields: Readonly<Record<string, string>>
  readonly text: string
}

/** node:http sends no body in answer to HEAD. */
const READING: ReadonlySet<string> = new Set(['GET', 'HEAD'])

const plain = (status: number, text: string): Answer => ({
  status,
  fields: { 'Content-Type': 'text/plain; charset=UTF-8' },
  text,
})

const probeAnswer = ({ ok, checks }: ProbeResult): Answer => ({
  status: ok ? 200 : 503,
  fields: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
  text: JSON.stringify({ status: ok ? 'ok' : 'unavailable', checks }),
})

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): SpaceError {
  const cause = { cause: error }
  if (error.code === 'EADDRINUSE') {
    return new SpaceError(
      'PORT_TAKEN',
      `This is the admin port ${host}:${port}: choose another with --admin-port.`,
      cause,
    )
  }
  return new SpaceError('INVALID_ARGUMENT', `The admin port ${host}:${port} cannot be opened (${error.code}).`, cause)
}

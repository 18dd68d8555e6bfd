/** The settings that commands share, with their ranges and defaults. Their sources: precedence.ts. */
import { type Command, Option } from 'commander'
import type { ServiceOptions } from '../../gateway/index.js'
import type { Durability } from '../engine/durability.js'
import { LOG_LEVELS } from '../log.js'
import { type DashboardFlags, mountedDashboardOptions } from './settings/dashboard.js'
import { type HttpsFlags, httpsOptions, tlsTerms } from './settings/https.js'
import {
  choiceAmong,
  directStreams,
  durability,
  hostNames,
  integer,
  name,
  operatorName,
  protocolNames,
  settingText,
  trustedProxies,
} from './settings/schema.js'
import { oneService, servicesOfGateway, servicesOfWorker } from './settings/services.js'

export { choiceAmong, integer } from './settings/schema.js'

export const DEFAULT_URL = 'redis://127.0.0.1:6379'

/** The address of the space. Hosting services set REDIS_URL. */
export const urlOption = (): Option =>
  new Option('--url <url>', 'address of the space; REDIS_URL is read, too').env('TAKESPACE_URL').default(DEFAULT_URL)

/** The address to which the space moves. */
export const nextUrlOption = (): Option =>
  new Option('--next-url <url>', 'address to which the space moves; while it moves, all processes have both')

export const nameOption = (): Option =>
  new Option('--name <name>', 'name of the space on that server').default('default').argParser(name)

export const portOption = (): Option =>
  new Option('--port <port>', 'port to listen on, 0 = any free port')
    .env('PORT')
    .default(8080)
    .argParser(integer(0, 65_535))

export const serviceOption = (): Option =>
  new Option('--service <name>', 'the service whose requests it takes').default('web').argParser(oneService)

const workerServicesOption = (): Option =>
  new Option('--service <names>', 'the service whose requests it takes, or several with commas between them')
    .default(['web'])
    .argParser(servicesOfWorker)

export const durabilityOption = (): Option =>
  new Option(
    '--durability <level>',
    'memory, local, fsync or replicated:n; refuse a server that gives less (default: any; see docs/durability.md)',
  ).argParser(durability)

export const logLevelOption = (): Option =>
  new Option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent')
    .env('LOG_LEVEL')
    .default('info')
    .argParser(choiceAmong(LOG_LEVELS))

/** Told to operators, and choices of `takespace drain`. */
export const operatorOptions = (): Option[] => [
  new Option('--release <name>', 'the release of the app, for operators').default('').argParser(operatorName),
  new Option('--host-name <name>', 'the name of this host, for operators (default: that of the machine)')
    .default('')
    .argParser(operatorName),
]

const number = (flags: string, description: string, min: number, max: number, initially?: number): Option => {
  const option = new Option(flags, description).argParser(integer(min, max))
  return initially === undefined ? option : option.default(initially)
}

const LEAST_STREAM_BYTES = 16_384
const { MAX_SAFE_INTEGER } = Number

/** Bounds of streamed bodies in the space that a process opens. */
const streamOptions = (): Option[] => [
  number(
    '--max-stream-bytes <n>',
    'maximum bytes in transit of one streamed body',
    LEAST_STREAM_BYTES,
    MAX_SAFE_INTEGER,
    1 << 20,
  ),
  number(
    '--max-streaming-bytes <n>',
    'maximum bytes in transit of all streamed bodies of a process',
    LEAST_STREAM_BYTES,
    MAX_SAFE_INTEGER,
    64 << 20,
  ),
  new Option(
    '--direct-streams <how>',
    'connections of streamed bodies past Redis: off, host (unix sockets), network (to gateways over TCP), or the HOST:PORT of this gateway',
  )
    .default('host')
    .argParser(directStreams),
]

/** Probes and metrics of a gateway, a supervisor, or `dev`. */
export const adminOptions = (): Option[] => [
  number('--admin-port <port>', 'port for probes and metrics, 0 = any free port', 0, 65_535),
  new Option('--admin-host <address>', 'address of the admin port').default('127.0.0.1'),
  new Option(
    '--admin-allowed-hosts <names>',
    'names under which the admin port is asked, with commas between them; IP addresses and localhost always may',
  ).argParser(hostNames),
  ...mountedDashboardOptions(),
]

/** The flags of an admin port. */
export interface AdminFlags extends DashboardFlags {
  readonly adminPort?: number
  readonly adminHost: string
  readonly adminAllowedHosts?: string
  readonly dashboard?: true
}

/** The flags of a gateway. */
export interface GatewayFlags extends HttpsFlags, AdminFlags {
  readonly host: string
  readonly port: number
  readonly services?: readonly ServiceOptions[]
  readonly trustProxy?: boolean | number | string
  readonly proxyProtocol?: boolean
  readonly durability?: Durability
  readonly drainDelayMs: number
  readonly keepAliveMs: number
  readonly timeoutMs: number
  readonly maxBodyBytes: number
  readonly maxReplayBytes: number
  readonly maxStreamBytes: number
  readonly maxStreamingBytes: number
  readonly directStreams: string
  readonly upgradeProtocols?: string
  readonly maxDeliveries: number
  readonly keyLeaseMs: number
  readonly maxKeyBytes: number
  readonly maxEntries?: number
  readonly maxBytes?: number
}

/** The settings of a gateway and of `dev`. */
export const gatewayOptions = (): Option[] => [
  portOption(),
  new Option('--host <address>', 'address to listen on').default('127.0.0.1'),
  new Option(
    '--services <services>',
    'services by host and path: web,/api=api,*.example.com/img=images, or a JSON list (default: all requests are for web)',
  ).argParser(servicesOfGateway),
  new Option(
    '--trust-proxy <proxies>',
    'proxies whose X-Forwarded-* are trusted: their number, addresses, CIDR ranges, loopback, private, true or false',
  ).argParser(trustedProxies),
  new Option('--proxy-protocol', 'connections of trusted proxies begin with a PROXY header, version 1 or 2'),
  ...httpsOptions(),
  durabilityOption(),
  number('--drain-delay-ms <ms>', 'how long a stop keeps the port open while /readyz is 503', 0, 86_400_000, 0),
  number(
    '--keep-alive-ms <ms>',
    'how long an idle connection stays open; longer than the proxy in front keeps it',
    1_000,
    86_400_000,
    65_000,
  ),
  number('--timeout-ms <ms>', 'maximum time for a request; then its client gets a 504', 1, 2 ** 31 - 1, 30_000),
  number('--max-body-bytes <n>', 'maximum size of a request body', 0, MAX_SAFE_INTEGER, 1 << 20),
  number('--max-replay-bytes <n>', 'maximum bytes of a streamed body kept for a retry', 0, MAX_SAFE_INTEGER, 64 << 20),
  ...streamOptions(),
  new Option(
    '--upgrade-protocols <names>',
    'protocols besides WebSocket to which an app may switch a connection, with commas between them',
  ).argParser(protocolNames),
  number('--max-deliveries <n>', 'give up after this many workers have died while handling a request', 1, 9, 3),
  number('--key-lease-ms <ms>', 'how long responses to Idempotency-Keys are kept', 1, 2 ** 31 - 1, 86_400_000),
  number('--max-key-bytes <n>', 'maximum bytes of kept responses in the space', 0, MAX_SAFE_INTEGER, 256 << 20),
  number('--max-entries <n>', 'maximum number of entries in the space', 1, MAX_SAFE_INTEGER),
  number('--max-bytes <n>', 'maximum bytes in the space', 1, MAX_SAFE_INTEGER),
  ...operatorOptions(),
  ...adminOptions(),
]

/** The options of `createGateway` among the flags. */
export const gatewayTerms = (flags: GatewayFlags) => {
  const {
    host,
    port,
    services,
    trustProxy,
    proxyProtocol,
    timeoutMs,
    maxBodyBytes,
    maxReplayBytes,
    maxDeliveries,
    keyLeaseMs,
    maxKeyBytes,
  } = flags
  return {
    host,
    port,
    services,
    trustProxy,
    proxyProtocol,
    tls: tlsTerms(flags),
    h2c: flags.h2c,
    drainDelayMs: flags.drainDelayMs,
    keepAliveMs: flags.keepAliveMs,
    upgradeProtocols: flags.upgradeProtocols?.split(','),
    limits: { timeoutMs, bodyBytes: maxBodyBytes, replayBytes: maxReplayBytes, maxDeliveries },
    idempotency: { leaseMs: keyLeaseMs, maxBytes: maxKeyBytes },
  }
}

/** The option `admin` among the flags. */
export const adminTerms = ({ adminPort: port, adminHost: host, adminAllowedHosts: names = '' }: AdminFlags) =>
  port === undefined ? undefined : { port, host, allowedHosts: names.split(',').filter(Boolean) }

/** The options of `openSpace` among the flags of a gateway. */
export const spaceTerms = ({
  maxEntries,
  maxBytes,
  maxStreamBytes,
  maxStreamingBytes,
  directStreams,
}: GatewayFlags) => ({
  maxEntries,
  maxBytes,
  maxStreamBytes,
  maxStreamingBytes,
  directStreams,
})

/** The flags of a worker process. */
export interface WorkerFlags {
  readonly concurrency: number
  readonly service: readonly string[]
  readonly durability?: Durability
  readonly maxStreamBytes: number
  readonly maxStreamingBytes: number
  readonly directStreams: string
  readonly stopTimeoutMs: number
  readonly onCrash: 'finish' | 'exit'
  readonly crashGraceMs: number
  readonly listen: 'app' | 'keep'
}

/** The settings of a worker process and of `dev`. */
export const workerOptions = (): Option[] => [
  number('--concurrency <n>', 'maximum number of concurrent requests of a process', 1, 100_000, 16),
  workerServicesOption(),
  durabilityOption(),
  ...streamOptions(),
  number('--stop-timeout-ms <ms>', 'how long a stop waits for running requests', 0, 86_400_000, 10_000),
  new Option(
    '--on-crash <how>',
    'an error that nothing caught: finish (its request gets 500, the others are finished) or exit (at once, as in Node)',
  )
    .default('finish')
    .argParser(choiceAmong(['finish', 'exit'])),
  number('--crash-grace-ms <ms>', 'how long a crashed process finishes its other requests', 0, 86_400_000, 5_000),
  new Option(
    '--listen <how>',
    'listen() in the app file: app (its server is the app, no port is opened) or keep (the port is opened)',
  )
    .default('app')
    .argParser(choiceAmong(['app', 'keep'])),
  ...operatorOptions(),
]

/** The options of `createWorker` among the flags. */
export const workerTerms = ({ service, concurrency, stopTimeoutMs, crashGraceMs }: WorkerFlags) => ({
  service,
  concurrency,
  stopTimeoutMs,
  crashGraceMs,
})

export const processesOption = (role: 'worker' | 'gateway'): Option =>
  number('--processes <n>', `number of ${role} processes`, 1, 1_000, 1)

/** The settings of a supervisor of worker processes. */
export const supervisorOptions = (): Option[] => [
  processesOption('worker'),
  number(
    '--blocked-timeout-ms <ms>',
    'replace a process whose event loop is blocked for this long',
    1,
    86_400_000,
    10_000,
  ),
  number('--max-requests <n>', 'replace a process after this many requests', 1, 2 ** 31 - 1),
  number('--max-memory <MB>', 'replace a process that uses more than this many MB of memory', 1, 2 ** 20),
  ...adminOptions(),
]

/** Adds options that the command does not have yet. */
export function addOptions(command: Command, ...options: readonly Option[]): Command {
  for (const option of options) {
    if (!command.options.some(({ long }) => long === option.long)) command.addOption(option)
  }
  return command
}

/** Returns the command line that passes the same flags to another process. */
export function argumentsOf(options: readonly Option[], flags: object): string[] {
  const values = flags as Readonly<Record<string, unknown>>
  return options.flatMap((option) => {
    const value = values[option.attributeName()]
    return value === undefined ? [] : [option.long as string, settingText(value)]
  })
}

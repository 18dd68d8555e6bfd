/** The settings that commands share, each with what it may be and its default. Where they come from: precedence.ts. */
import { type Command, Option } from 'commander'
import { integer, name, oneOf } from './schema.js'

export { integer } from './schema.js'

const DEFAULT_URL = 'redis://127.0.0.1:6379'

/** Where the space is. TAKESPACE_URL is ours; REDIS_URL is what hosting services set. */
export const urlOption = (): Option =>
  new Option('--url <url>', 'the space (REDIS_URL counts, too)').env('TAKESPACE_URL').default(DEFAULT_URL)

export const nameOption = (): Option =>
  new Option('--name <name>', 'which space on that server').default('default').argParser(name)

export const portOption = (): Option =>
  new Option('--port <port>', 'port to listen on, 0 = any free one')
    .env('PORT')
    .default(8080)
    .argParser(integer(0, 65_535))

export const serviceOption = (): Option =>
  new Option('--service <name>', 'whose requests it takes').default('web').argParser(name)

export const durabilityOption = (): Option =>
  new Option(
    '--durability <level>',
    'refuse a server that gives less: local or fsync (default: what it gives)',
  ).argParser(oneOf(['memory', 'local', 'fsync']))

export const logLevelOption = (): Option =>
  new Option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent')
    .env('LOG_LEVEL')
    .default('info')
    .argParser(oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']))

export const concurrencyOption = (): Option =>
  new Option('--concurrency <n>', 'requests that one process works on at a time')
    .default(16)
    .argParser(integer(1, 100_000))

export const stopTimeoutOption = (): Option =>
  new Option('--stop-timeout-ms <ms>', 'how long a stop waits for requests under way')
    .default(10_000)
    .argParser(integer(0, 86_400_000))

export const maxRequestsOption = (): Option =>
  new Option('--max-requests <n>', 'replace a process that has taken so many requests').argParser(
    integer(1, 2 ** 31 - 1),
  )

export const maxMemoryOption = (): Option =>
  new Option('--max-memory <MB>', 'replace a process that takes so many MB of memory').argParser(integer(1, 2 ** 20))

const LEAST_STREAM_BYTES = 16_384

export const maxStreamOption = (): Option =>
  new Option('--max-stream-bytes <n>', 'of one body that goes bit by bit, so many bytes are under way')
    .default(1 << 20)
    .argParser(integer(LEAST_STREAM_BYTES, Number.MAX_SAFE_INTEGER))

export const maxStreamingOption = (): Option =>
  new Option('--max-streaming-bytes <n>', 'the same of all that one process sends')
    .default(64 << 20)
    .argParser(integer(LEAST_STREAM_BYTES, Number.MAX_SAFE_INTEGER))

/** A memory space lives in one process; a gateway and its workers are several. */
export function sharedUrl(command: Command, url: string = DEFAULT_URL): string {
  if (url === 'memory:') {
    command.error(
      `memory: is a space within one process, so a ${command.name()} alone on it would meet nobody. ` +
        'Give a Redis with --url, or run both in one process: takespace dev ./app.js',
    )
  }
  return url
}

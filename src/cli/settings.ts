/** The settings that commands share: a flag wins over the environment, the environment over the default. */
import { type Command, InvalidArgumentError, Option } from 'commander'

const DEFAULT_URL = 'redis://127.0.0.1:6379'

/** Where the space is. TAKESPACE_URL is ours; REDIS_URL is what hosting services set. */
export const urlOption = (): Option =>
  new Option('--url <url>', 'the space (env TAKESPACE_URL, else REDIS_URL)').default(
    process.env.TAKESPACE_URL || process.env.REDIS_URL || undefined,
    DEFAULT_URL,
  )

export const nameOption = (): Option =>
  new Option('--name <name>', 'which space on that server').env('TAKESPACE_NAME').default('default')

export const portOption = (): Option =>
  new Option('--port <port>', 'port to listen on, 0 = any free one')
    .env('PORT')
    .default(8080)
    .argParser(integer(0, 65_535))

export const serviceOption = (): Option => new Option('--service <name>', 'whose requests it takes').default('web')

export const concurrencyOption = (): Option =>
  new Option('--concurrency <n>', 'requests that one process works on at a time')
    .default(16)
    .argParser(integer(1, 100_000))

export const stopTimeoutOption = (): Option =>
  new Option('--stop-timeout-ms <ms>', 'how long a stop waits for requests under way')
    .default(10_000)
    .argParser(integer(0, 86_400_000))

/** Reads an option's value as an integer within bounds. */
export const integer =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`It is an integer from ${min} to ${max}.`)
    }
    return value
  }

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

/** One worker process of a supervisor: says who it is in the space, takes requests, and drains when it is told to or left alone. */
import type { Command } from 'commander'
import { type App, createWorker } from '../../workers/index.js'
import { openSpace } from '../open.js'
import { loadApp } from './app.js'
import { describe } from './failure.js'
import { openLog } from './log.js'
import {
  concurrencyOption,
  integer,
  maxMemoryOption,
  maxRequestsOption,
  nameOption,
  serviceOption,
  sharedUrl,
  stopTimeoutOption,
  urlOption,
} from './settings.js'
import { type Wear, watchMemory, watchRequests } from './wear.js'

/** What a worker process tells its supervisor. */
export type Report =
  | { readonly session: string }
  | { readonly ready: true }
  | { readonly failed: string }
  | { readonly worn: string }

interface Flags extends Wear {
  readonly url?: string
  readonly name: string
  readonly service: string
  readonly concurrency: number
  readonly stopTimeoutMs: number
  readonly adminPort?: number
  readonly adminHost: string
}

export function workerProcess(program: Command): void {
  program
    .command('worker-process', { hidden: true })
    .argument('<app>')
    .addOption(concurrencyOption())
    .addOption(serviceOption())
    .addOption(urlOption())
    .addOption(nameOption())
    .addOption(stopTimeoutOption())
    .addOption(maxRequestsOption())
    .addOption(maxMemoryOption())
    .option('--admin-port <port>', 'port for probes and metrics, 0 = any free one', integer(0, 65_535))
    .option('--admin-host <address>', 'address of the admin port', '127.0.0.1')
    .action((app: string, flags: Flags, command: Command) => run(app, flags, sharedUrl(command, flags.url)))
}

async function run(file: string, { name, ...terms }: Flags, url: string): Promise<void> {
  const { service, concurrency, stopTimeoutMs, adminPort, adminHost } = terms
  let close: (() => Promise<void>) | undefined
  let stopping = false
  const stop = async (): Promise<void> => {
    if (stopping) return
    stopping = true
    await close?.()
    // The app may hold timers and connections of its own, of which we know nothing and which nobody needs any longer.
    process.exit(0)
  }
  // A terminal sends Ctrl-C, and a service manager SIGTERM, to the whole group: one wish, which the supervisor passes on as well.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => void stop())
  // A supervisor that was killed cannot stop us.
  process.on('disconnect', () => void stop())

  try {
    const logger = await openLog('worker')
    const app = await loadApp<App>(file)
    const space = await openSpace(url, { name, logger })
    close = () => space.close()
    report({ session: space.session })
    watchRequests(space, terms, (worn) => report({ worn }))
    await createWorker({ space, app, service, concurrency, stopTimeoutMs, adminPort, adminHost, logger }).start()
    report({ ready: true })
    watchMemory(terms, logger, (worn) => report({ worn }))
  } catch (error) {
    stopping = true
    await close?.()
    // One line for people comes from the supervisor, however many processes failed alike.
    if (!process.connected) throw error
    process.send?.({ failed: describe(error) } satisfies Report, () => process.exit(1))
  }
}

function report(message: Report): void {
  if (process.connected) process.send?.(message)
}

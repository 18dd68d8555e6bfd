/** `takespace worker`: keeps processes running that take requests and answer them with an app. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { mostStrayed } from '../../workers/overrun.js'
import { SpaceError } from '../errors.js'
import { openSpace } from '../open.js'
import { masked } from './failure.js'
import { openLog } from './log.js'
import { Notices } from './notices.js'
import {
  concurrencyOption,
  durabilityOption,
  integer,
  maxMemoryOption,
  maxRequestsOption,
  maxStreamingOption,
  maxStreamOption,
  nameOption,
  serviceOption,
  sharedUrl,
  stopTimeoutOption,
  urlOption,
} from './settings.js'
import { stopOnSignal } from './signals.js'
import { Supervisor } from './supervisor.js'
import { supervisorAdmin } from './supervisor-admin.js'

interface Flags {
  readonly url?: string
  readonly name: string
  readonly durability?: 'memory' | 'local' | 'fsync'
  readonly service: string
  readonly processes: number
  readonly concurrency: number
  readonly stopTimeoutMs: number
  readonly maxStreamBytes: number
  readonly maxStreamingBytes: number
  readonly blockedTimeoutMs: number
  readonly maxRequests?: number
  readonly maxMemory?: number
  readonly adminPort?: number
  readonly adminHost: string
}

export function worker(program: Command): void {
  program
    .command('worker')
    .description('take requests from the space and answer them with an app')
    .argument('<app>', 'the app file: a module that exports its app as default or as `app`, or `tasks`')
    .option('--processes <n>', 'processes to keep running', integer(1, 1_000), 1)
    .addOption(concurrencyOption())
    .addOption(serviceOption())
    .addOption(urlOption())
    .addOption(nameOption())
    .addOption(durabilityOption())
    .addOption(maxStreamOption())
    .addOption(maxStreamingOption())
    .addOption(stopTimeoutOption())
    .option(
      '--blocked-timeout-ms <ms>',
      'replace a process whose event loop stands still for so long',
      integer(1, 86_400_000),
      10_000,
    )
    .addOption(maxRequestsOption())
    .addOption(maxMemoryOption())
    .option('--admin-port <port>', 'port for probes and metrics, 0 = any free one', integer(0, 65_535))
    .option('--admin-host <address>', 'address of the admin port', '127.0.0.1')
    .action((app: string, flags: Flags, command: Command) => run(app, flags, sharedUrl(command, flags.url)))
}

async function run(app: string, flags: Flags, url: string): Promise<void> {
  const { name, durability, service, processes, concurrency, stopTimeoutMs, blockedTimeoutMs } = flags
  const { maxRequests, maxMemory, adminPort, adminHost } = flags
  if (!existsSync(resolve(app))) throw new SpaceError('APP_FILE_MISSING', `There is no ${resolve(app)}.`)
  const logger = await openLog('supervisor')
  const space = await openSpace(url, { name, durability, logger })
  const args = ['worker-process', app, '--name', name, '--service', service]
  args.push('--concurrency', String(concurrency), '--stop-timeout-ms', String(stopTimeoutMs))
  args.push('--max-stream-bytes', String(flags.maxStreamBytes))
  args.push('--max-streaming-bytes', String(flags.maxStreamingBytes))
  if (durability !== undefined) args.push('--durability', durability)
  const supervisor = new Supervisor({
    processes,
    args,
    // By the environment: everybody on the machine can read a command line, and the address may hold a password.
    env: { TAKESPACE_URL: url },
    wear: { maxRequests, maxMemory, maxStrayed: mostStrayed(concurrency) },
    stopTimeoutMs,
    blockedTimeoutMs,
    notices: new Notices(space, logger),
    logger,
  })
  const admin =
    adminPort === undefined
      ? undefined
      : supervisorAdmin(supervisor, space, { service, host: adminHost, port: adminPort }, logger)
  const stop = async (): Promise<void> => {
    if (admin) admin.phase = 'draining'
    await supervisor.stop()
    await admin?.close()
    await space.close()
  }
  stopOnSignal({
    async stop() {
      logger.info({}, 'stopping')
      await stop()
      logger.info({}, 'stopped')
    },
    now: () => supervisor.killAll(),
  })
  logger.info({ app, service, processes, concurrency, space: masked(url), name }, 'starting')
  const start = (): Promise<void> => supervisor.start()
  try {
    await (admin ? admin.during(start) : start())
  } catch (error) {
    await stop()
    throw error
  }
}

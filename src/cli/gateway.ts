/** `takespace gateway`: takes HTTP requests and writes them into the space. */
import type { Command } from 'commander'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../open.js'
import { createScheduler } from '../scheduler.js'
import { masked } from './failure.js'
import { openLog } from './log.js'
import {
  durabilityOption,
  integer,
  maxStreamingOption,
  maxStreamOption,
  nameOption,
  portOption,
  sharedUrl,
  urlOption,
} from './settings.js'
import { closeOnSignal } from './signals.js'

interface Flags {
  readonly url?: string
  readonly name: string
  readonly durability?: 'memory' | 'local' | 'fsync'
  readonly host: string
  readonly port: number
  readonly timeoutMs: number
  readonly maxBodyBytes: number
  readonly maxReplayBytes: number
  readonly maxStreamBytes: number
  readonly maxStreamingBytes: number
  readonly maxDeliveries: number
  readonly keyLeaseMs: number
  readonly maxKeyBytes: number
  readonly maxEntries?: number
  readonly maxBytes?: number
  readonly adminPort?: number
  readonly adminHost: string
  readonly scheduler?: true
}

export function gateway(program: Command): void {
  program
    .command('gateway')
    .description('take HTTP requests and write them into the space')
    .addOption(portOption())
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .addOption(urlOption())
    .addOption(nameOption())
    .addOption(durabilityOption())
    .option(
      '--timeout-ms <ms>',
      'how long a request may take until its client is told 504',
      integer(1, 2 ** 31 - 1),
      30_000,
    )
    .option('--max-body-bytes <n>', 'the largest request body', integer(0, Number.MAX_SAFE_INTEGER), 1 << 20)
    .option(
      '--max-replay-bytes <n>',
      'of a body that goes bit by bit, so many bytes are kept for another worker',
      integer(0, Number.MAX_SAFE_INTEGER),
      64 << 20,
    )
    .addOption(maxStreamOption())
    .addOption(maxStreamingOption())
    .option('--max-deliveries <n>', 'so many workers may die of a request until it is set aside', integer(1, 9), 3)
    .option('--key-lease-ms <ms>', 'how long answers to Idempotency-Keys are kept', integer(1, 2 ** 31 - 1), 86_400_000)
    .option(
      '--max-key-bytes <n>',
      'so many bytes of kept answers may be in the space',
      integer(0, 2 ** 53 - 1),
      256 << 20,
    )
    .option('--max-entries <n>', 'so many entries may be in the space', integer(1, Number.MAX_SAFE_INTEGER))
    .option('--max-bytes <n>', 'so many bytes may be in the space', integer(1, Number.MAX_SAFE_INTEGER))
    .option('--admin-port <port>', 'port for probes and metrics, 0 = any free one', integer(0, 65_535))
    .option('--admin-host <address>', 'address of the admin port', '127.0.0.1')
    .option('--scheduler', 'look after what is due later, too, as takespace scheduler does')
    .action((flags: Flags, command: Command) => run(flags, sharedUrl(command, flags.url)))
}

async function run({ name, durability, maxEntries, maxBytes, ...terms }: Flags, url: string): Promise<void> {
  const { host, port, timeoutMs, maxBodyBytes, maxReplayBytes, maxDeliveries, adminPort, adminHost, scheduler } = terms
  const { maxStreamBytes, maxStreamingBytes, keyLeaseMs, maxKeyBytes } = terms
  const limits = { timeoutMs, maxBodyBytes, maxReplayBytes, maxDeliveries, keyLeaseMs, maxKeyBytes }
  const bounds = { maxEntries, maxBytes, maxStreamBytes, maxStreamingBytes }
  const logger = await openLog('gateway')
  const space = await openSpace(url, { name, durability, ...bounds, logger })
  try {
    const gateway = createGateway({ space, host, port, ...limits, adminPort, adminHost, logger })
    await gateway.start()
    if (scheduler) await createScheduler({ space, logger }).start()
    logger.info({ url: gateway.url, space: masked(url), name, durability: space.durability }, 'listening')
  } catch (error) {
    await space.close()
    throw error
  }
  closeOnSignal(space, logger)
}

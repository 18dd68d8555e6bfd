/** `takespace gateway`: takes HTTP requests and writes them into the space. */
import type { Command } from 'commander'
import { createGateway } from '../../../gateway/index.js'
import { openSpace } from '../../open.js'
import { createScheduler } from '../../scheduler.js'
import { masked } from '../failure.js'
import { openLog } from '../log.js'
import {
  addOptions,
  type GatewayFlags,
  gatewayOptions,
  gatewayTerms,
  nameOption,
  sharedUrl,
  spaceTerms,
  urlOption,
} from '../settings.js'
import { closeOnSignal } from '../signals.js'

interface Flags extends GatewayFlags {
  readonly url?: string
  readonly name: string
  readonly scheduler?: true
}

export function gateway(program: Command): void {
  const command = program.command('gateway').description('take HTTP requests and write them into the space')
  addOptions(command, urlOption(), nameOption(), ...gatewayOptions())
    .option('--scheduler', 'run a scheduler in this process, too, like takespace scheduler')
    .action((flags: Flags, self: Command) => run(flags, sharedUrl(self, flags.url)))
}

async function run(flags: Flags, url: string): Promise<void> {
  const { name, durability, scheduler } = flags
  const logger = await openLog('gateway')
  const space = await openSpace(url, { name, durability, ...spaceTerms(flags), logger })
  try {
    const gateway = createGateway({ space, ...gatewayTerms(flags), logger })
    await gateway.start()
    process.on('SIGHUP', () => void gateway.reloadCertificates())
    if (scheduler) await createScheduler({ space, logger }).start()
    logger.info({ url: gateway.url, space: masked(url), name, durability: space.durability }, 'listening')
  } catch (error) {
    await space.close()
    throw error
  }
  closeOnSignal(space, logger)
}

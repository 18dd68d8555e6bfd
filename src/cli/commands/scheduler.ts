/**
 * `takespace scheduler`: runs tasks that are due later, again and again, or after a failure, and the jobs of BullMQ
 * queues.
 */
import { type Command, InvalidArgumentError } from 'commander'
import { openSpace } from '../../open.js'
import { createScheduler } from '../../scheduler.js'
import { masked } from '../failure.js'
import { openLog } from '../log.js'
import { durabilityOption, integer, nameOption, serviceOption, sharedUrl, urlOption } from '../settings.js'
import { closeOnSignal } from '../signals.js'

interface Flags {
  readonly url?: string
  readonly name: string
  readonly durability?: 'memory' | 'local' | 'fsync'
  readonly fromQueue?: readonly string[]
  readonly service: string
  readonly jobs: number
  readonly jobTimeoutMs: number
}

export function scheduler(program: Command): void {
  program
    .command('scheduler')
    .description('write tasks into the space when they are due; BullMQ keeps them until then')
    .option('--from-queue <name>', 'run the jobs of a BullMQ queue as tasks; may be given again', queues)
    .addOption(serviceOption())
    .addOption(urlOption())
    .addOption(nameOption())
    .addOption(durabilityOption())
    .option('--jobs <n>', 'maximum number of jobs of a queue that workers hold at a time', integer(1, 100_000), 1_000)
    .option('--job-timeout-ms <ms>', 'maximum time for a job of --from-queue', integer(1, 2 ** 31 - 1), 86_400_000)
    .action((flags: Flags, command: Command) => run(flags, sharedUrl(command, flags.url)))
}

function queues(text: string, before: readonly string[] = []): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.some((name) => name === '' || name.includes(':'))) {
    throw new InvalidArgumentError('It is the name of a queue, without a colon, or several with commas between them.')
  }
  return [...before, ...names]
}

async function run(
  { name, durability, fromQueue = [], service, jobs, jobTimeoutMs }: Flags,
  url: string,
): Promise<void> {
  const logger = await openLog('scheduler')
  const space = await openSpace(url, { name, durability, logger })
  try {
    const terms = { fromQueues: fromQueue, service, concurrency: jobs, timeoutMs: jobTimeoutMs }
    await createScheduler({ space, ...terms, logger }).start()
    logger.info({ space: masked(url), name }, 'ready')
  } catch (error) {
    await space.close()
    throw error
  }
  closeOnSignal(space, logger)
}

/** `takespace dev`: gateway and worker in one process, with a space in memory and reload. */
import type { Command } from 'commander'
import { createGateway } from '../../../gateway/index.js'
import { attribute } from '../../../workers/crash.js'
import { monotonicMs } from '../../clock.js'
import { openSpace } from '../../open.js'
import { createScheduler } from '../../scheduler.js'
import { adminOf } from '../admin.js'
import type { Reloading } from '../load/reload.js'
import { openLog } from '../log.js'
import { type GatewayFlags, gatewayTerms, spaceTerms, type WorkerFlags, workerTerms } from '../settings.js'
import { holdSignals, onParentExit } from '../signals.js'
import { onUncaught } from '../uncaught.js'
import { welcome } from './welcome.js'

interface Flags extends GatewayFlags, WorkerFlags {
  readonly reload: boolean
  readonly watch: readonly string[]
  readonly ignore: readonly string[]
}

/** The app's own address of the space, if it reads it as in production. */
const DEV_URL = 'memory:dev'

export const dev = (file: string, flags: Flags, command: Command): Promise<void> =>
  run(file, { ...flags, ...servicesOf(command, flags) })

/** Without `--service` the worker takes all services of the gateway; without `--services` all requests are for its first. */
function servicesOf(command: Command, { services, service }: Flags): Pick<Flags, 'services' | 'service'> {
  if (!services) return { services: [{ service: service[0]! }], service }
  const isGiven = command.getOptionValueSource('service') !== 'default'
  return { services, service: isGiven ? service : [...new Set(services.map((each) => each.service))] }
}

const EXIT_CUT_SHORT = 1
/** Minimum time for the app's own signal listeners to end the process. */
const LEAST_ENDING_MS = 1_000

async function run(file: string, flags: Flags): Promise<void> {
  let stop: (() => Promise<void>) | undefined
  let stopping = false
  const onStop = (): void => {
    if (stopping || !stop) process.exit(EXIT_CUT_SHORT)
    stopping = true
    void stop()
  }
  // Called before the app file is loaded, which may listen to signals itself.
  const signals = holdSignals(onStop)
  onParentExit(onStop)
  const logger = await openLog('dev')
  process.env.TAKESPACE_URL ??= DEV_URL
  const space = await openSpace(DEV_URL, { ...spaceTerms(flags), logger })
  const gateway = createGateway({ space, ...gatewayTerms(flags), admin: await adminOf(space, flags, logger), logger })
  const tell = (line: string): void => void process.stdout.write(`takespace: ${line}\n`)
  let reloading: Reloading
  try {
    // The other commands do not transpile files.
    const { runReloading } = await import('../load/reload.js')
    reloading = await runReloading(file, {
      worker: { space, ...workerTerms(flags), logger },
      load: { listen: flags.listen, followed: flags.reload, tell },
      watch: flags.reload ? { watch: flags.watch, ignore: flags.ignore } : undefined,
    })
    await createScheduler({ space, logger }).start()
    await gateway.start()
  } catch (error) {
    await space.close()
    throw error
  }
  // Nothing replaces this process: it goes on if the error belongs to a request, and ends as in Node.js otherwise.
  if (flags.onCrash === 'finish')
    onUncaught((error) => void (attribute(error, logger) === 'none' && process.exit(EXIT_CUT_SHORT)))
  process.stdout.write(welcome(file, gateway.url, reloading.served))
  stop = async () => {
    const until = monotonicMs() + flags.stopTimeoutMs
    await gateway.stop()
    await reloading.stop()
    await space.close()
    signals.release(Math.max(until - monotonicMs(), LEAST_ENDING_MS))
  }
}

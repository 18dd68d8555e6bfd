/** `takespace gateway`: takes HTTP requests and writes them into the space, in one process or several. */
import type { Command } from 'commander'
import { createGateway, type Gateway } from '../../../gateway/index.js'
import type { Logger } from '../../log.js'
import { openSpace } from '../../open.js'
import { createScheduler } from '../../scheduler.js'
import type { Space } from '../../space.js'
import { adminOf } from '../admin.js'
import { masked } from '../failure.js'
import { openLog } from '../log.js'
import { serviceManager } from '../service-manager.js'
import { sharedNextUrl, sharedUrl } from '../settings/shared-url.js'
import { type GatewayFlags, gatewayTerms, spaceTerms } from '../settings.js'
import { closeOnSignal } from '../signals.js'
import { launchSharingPort } from '../supervisor/launch.js'
import { supervise } from '../supervisor/supervise.js'

export interface GatewayCommandFlags extends GatewayFlags {
  readonly url?: string
  readonly nextUrl?: string
  readonly name: string
  readonly processes: number
  readonly scheduler?: true
}

export async function gateway(given: GatewayCommandFlags, command: Command): Promise<void> {
  const url = sharedUrl(command, given.url)
  const flags = { ...given, nextUrl: sharedNextUrl(command, given.nextUrl) }
  if (flags.processes > 1) return runProcesses(flags, url)
  const logger = await openLog('gateway')
  const manager = serviceManager(logger)
  closeOnSignal(await startGateway(url, flags, logger), logger, manager)
}

/** Opens the space and the port. Returns the space, with which all of it is closed. `created` is called before the start. */
export async function startGateway(
  url: string,
  flags: GatewayCommandFlags,
  logger: Logger,
  created?: (gateway: Gateway, space: Space) => void,
): Promise<Space> {
  const { name, nextUrl, durability, scheduler } = flags
  let started: Gateway | undefined
  // Before the start, which reads the certificates anyway: without a listener the signal ends the process.
  process.on('SIGHUP', () => void started?.reloadCertificates())
  const space = await openSpace(url, { name, nextUrl, durability, ...spaceTerms(flags), logger })
  try {
    const gateway = createGateway({ space, ...gatewayTerms(flags), admin: await adminOf(space, flags, logger), logger })
    created?.(gateway, space)
    await gateway.start()
    started = gateway
    if (scheduler) await createScheduler({ space, logger }).start()
    logger.info({ url: gateway.url, space: masked(url), name, durability: space.durability }, 'listening')
  } catch (error) {
    await space.close()
    throw error
  }
  return space
}

/** A gateway works on nobody's code, so its processes are replaced only if they have ended or are blocked. */
const NEVER_RECYCLED = { maxOverrunHandlers: Number.POSITIVE_INFINITY }
const BLOCKED_MS = 10_000

/** Time from the deadline of a request to its response. */
const AFTERWARDS_MS = 1_000

async function runProcesses(flags: GatewayCommandFlags, url: string): Promise<void> {
  const { name, nextUrl, processes, services = [{ service: 'web' }], timeoutMs, drainDelayMs } = flags
  // Each process looks at the certificates by itself.
  process.on('SIGHUP', () => {})
  const longestMs = Math.max(timeoutMs, ...services.map((each) => each.timeoutMs ?? 0))
  await supervise(
    url,
    {
      name,
      nextUrl,
      durability: flags.durability,
      admin: (space, logger) => adminOf(space, flags, logger),
      services: services.map(({ service }) => service),
    },
    {
      role: 'gateway',
      launch: launchSharingPort,
      processes,
      args: ['gateway-process'],
      env: {},
      settings: { url, flags },
      recyclePolicy: NEVER_RECYCLED,
      stopTimeoutMs: drainDelayMs + longestMs + AFTERWARDS_MS,
      blockedTimeoutMs: BLOCKED_MS,
    },
    { processes, space: masked(url), name },
  )
}

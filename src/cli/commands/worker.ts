/** `takespace worker`: keeps processes running that take requests and answer them with an app. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { mostOverrunHandlers } from '../../../workers/overrun.js'
import { SpaceError } from '../../errors.js'
import { adminOf } from '../admin.js'
import { masked } from '../failure.js'
import { sharedNextUrl, sharedUrl } from '../settings/shared-url.js'
import { type AdminFlags, argumentsOf, type WorkerFlags, workerOptions } from '../settings.js'
import { launch } from '../supervisor/launch.js'
import { supervise } from '../supervisor/supervise.js'

interface Flags extends WorkerFlags, AdminFlags {
  readonly url?: string
  readonly nextUrl?: string
  readonly name: string
  readonly processes: number
  readonly blockedTimeoutMs: number
  readonly maxRequests?: number
  readonly maxMemory?: number
}

export async function worker(app: string, flags: Flags, command: Command): Promise<void> {
  const url = sharedUrl(command, flags.url)
  const nextUrl = sharedNextUrl(command, flags.nextUrl)
  const { name, durability, service, processes, concurrency, stopTimeoutMs, blockedTimeoutMs } = flags
  const { maxRequests, maxMemory } = flags
  if (!existsSync(resolve(app))) throw new SpaceError('APP_FILE_MISSING', `There is no ${resolve(app)}.`)
  await supervise(
    url,
    { name, nextUrl, durability, admin: (space, logger) => adminOf(space, flags, logger), services: service },
    {
      role: 'worker',
      launch,
      processes,
      args: ['worker-process', app, '--name', name, ...argumentsOf(workerOptions(), flags)],
      // In the environment: command lines are visible to all users of the machine, and the address may hold a password.
      env: { TAKESPACE_URL: url, ...(nextUrl !== undefined && { TAKESPACE_NEXT_URL: nextUrl }) },
      recyclePolicy: { maxRequests, maxMemory, maxOverrunHandlers: mostOverrunHandlers(concurrency) },
      stopTimeoutMs,
      blockedTimeoutMs,
    },
    { app, service: service.join(','), processes, concurrency, space: masked(url), name },
  )
}

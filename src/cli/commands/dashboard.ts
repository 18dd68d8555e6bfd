/** `takespace dashboard`: serves the dashboard of a space on a port of its own; `dashboard passwd` writes its file of users. */
import type { Command } from 'commander'
import { openPort } from '../../admin/listen.js'
import { isRight, isUserRole, USER_ROLES } from '../../dashboard/rights.js'
import { writePassword, writeToken, writeUser } from '../../dashboard/users.js'
import { observeSpace, openSpace } from '../../open.js'
import { masked } from '../failure.js'
import { openLog } from '../log.js'
import { askSecret } from '../secret.js'
import { serviceManager } from '../service-manager.js'
import { checkReach, type DashboardFlags, dashboardOf } from '../settings/dashboard.js'
import { sharedNextUrl, sharedUrl } from '../settings/shared-url.js'
import { closeOnSignal } from '../signals.js'
import type { SpaceFlags } from './operated.js'

interface Flags extends SpaceFlags, DashboardFlags {
  readonly dashboardHost: string
  readonly dashboardPort: number
}

export async function dashboard(flags: Flags, command: Command): Promise<void> {
  checkReach(flags.dashboardHost, flags)
  const url = sharedUrl(command, flags.url)
  const logger = await openLog('dashboard')
  const manager = serviceManager(logger)
  const { name, dashboardHost: host, dashboardPort: port } = flags
  const nextUrl = sharedNextUrl(command, flags.nextUrl)
  // Nobody may act: it needs the rights of an observer alone.
  const isObserver = flags.dashboardReadOnly && nextUrl === undefined
  const space = await (isObserver ? observeSpace(url, name, logger) : openSpace(url, { name, nextUrl, logger }))
  try {
    const app = await dashboardOf(space, flags, { host, logger })
    const listening = await openPort(app.fetch, { host, port, name: 'port', setting: '--dashboard-port' })
    space.adopt({ stop: () => listening.close() })
    const at = host.includes(':') ? `[${host}]` : host
    logger.info({ url: `http://${at}:${listening.port}/`, space: masked(url), name }, 'the dashboard is open')
  } catch (error) {
    await space.close()
    throw error
  }
  closeOnSignal(space, logger, manager)
}

interface PasswdFlags {
  readonly role?: string
  readonly rights?: string
  readonly token?: true
  readonly password: boolean
  readonly remove?: true
}

export async function passwd(file: string, name: string, flags: PasswdFlags, command: Command): Promise<void> {
  if (flags.remove) return writeUser(file, name, null)
  const { role, token } = flags
  const rights = flags.rights?.split(',')
  if (role !== undefined && !isUserRole(role)) {
    return command.error(`error: the role is one of ${Object.keys(USER_ROLES).join(', ')}.`)
  }
  if (rights && !rights.every(isRight)) return command.error('error: there is no such right; see docs/dashboard.md.')
  const user = { ...(role && { role }), ...(rights && { rights }) }
  if (token) {
    process.stdout.write(`${writeToken(file, name, user)}\n`)
    return
  }
  // A proxy in front names the user.
  if (!flags.password) return writeUser(file, name, user)
  await writePassword(file, name, await askSecret(`password of ${name}: `), user)
}

/** The admin port that the flags ask for, with its dashboard. */
import type { AdminAddress } from '../admin/server.js'
import { SpaceError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Space } from '../space.js'
import { dashboardOf, MOUNT_PATH } from './settings/dashboard.js'
import { type AdminFlags, adminTerms } from './settings.js'

/** @throws SpaceError INVALID_ARGUMENT: a dashboard without an admin port, or one that others can reach without users */
export async function adminOf(space: Space, flags: AdminFlags, logger: Logger): Promise<AdminAddress | undefined> {
  const at = adminTerms(flags)
  if (!flags.dashboard) return at
  if (!at) throw new SpaceError('INVALID_ARGUMENT', '--dashboard is served on the admin port: give --admin-port, too.')
  return { ...at, dashboard: await dashboardOf(space, flags, { host: at.host, path: MOUNT_PATH, logger }) }
}

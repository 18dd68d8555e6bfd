/** The settings of a dashboard, beside an admin port and of `takespace dashboard`, and the dashboard that they make. */
import { InvalidArgumentError, Option } from 'commander'
import type { Dashboard } from '../../dashboard/index.js'
import { isLoopbackName } from '../../dashboard/options.js'
import { ALL_RIGHTS, isRight, isUserRole, type Right, USER_ROLES } from '../../dashboard/rights.js'
import { SpaceError } from '../../errors.js'
import type { Logger } from '../../log.js'
import type { Space } from '../../space.js'

export interface DashboardFlags {
  readonly dashboardUsers?: string
  readonly dashboardRights?: readonly Right[]
  readonly dashboardOrigins?: readonly string[]
  readonly dashboardEnvironment?: string
  readonly dashboardReadOnly?: boolean
  readonly dashboardInsecureHttp?: boolean
}

/** Returns the rights in a text; a role stands for its rights. */
function rights(text: string): readonly Right[] {
  const all: string[] = text.split(',').flatMap((name) => (isUserRole(name) ? [...USER_ROLES[name]] : [name]))
  if (all.every(isRight)) return all
  throw new InvalidArgumentError(`It must be of ${ALL_RIGHTS.join(', ')}, or a role: viewer, operator, owner.`)
}

const origins = (text: string): readonly string[] => text.split(',').filter(Boolean)

/** The settings of the dashboard itself. */
export const dashboardOptions = (): Option[] => [
  new Option('--dashboard-users <file>', 'file of the users of the dashboard, from `takespace dashboard passwd`'),
  new Option(
    '--dashboard-rights <rights>',
    `rights of everybody on this machine, if there are no users: ${ALL_RIGHTS.join(', ')} (default: it can only be read)`,
  ).argParser(rights),
  new Option(
    '--dashboard-origins <origins>',
    'origins under which browsers reach the dashboard beside localhost, such as https://ops.example.com, with commas between them',
  ).argParser(origins),
  new Option('--dashboard-environment <name>', 'name of the environment, shown on every page'),
  new Option('--dashboard-read-only', 'nobody may act, whatever the rights'),
  new Option('--dashboard-insecure-http', 'allow passwords over http beyond this machine'),
]

/** The same for an admin port. */
export const mountedDashboardOptions = (): Option[] => [
  new Option('--dashboard', 'serve the dashboard on the admin port, under /dashboard/'),
  ...dashboardOptions(),
]

/** The path of a dashboard on an admin port. */
export const MOUNT_PATH = '/dashboard'

/** @throws SpaceError INVALID_ARGUMENT: others can reach the address, and there are no users */
export function checkReach(host: string, { dashboardUsers }: DashboardFlags): void {
  if (isLoopbackName(host) || dashboardUsers !== undefined) return
  throw new SpaceError(
    'INVALID_ARGUMENT',
    `A dashboard on ${host} can be reached by others: it needs --dashboard-users.`,
  )
}

/** Returns a dashboard that listens on `host`. @throws SpaceError INVALID_ARGUMENT, as checkReach and createDashboard */
export async function dashboardOf(
  space: Space,
  flags: DashboardFlags,
  { host, path, logger }: { readonly host: string; readonly path?: string; readonly logger: Logger },
): Promise<Dashboard> {
  checkReach(host, flags)
  // Loaded when it is asked for.
  const { createDashboard } = await import('../../dashboard/index.js')
  return createDashboard({
    space,
    path,
    logger,
    users: flags.dashboardUsers,
    rights: flags.dashboardRights,
    origins: flags.dashboardOrigins,
    environment: flags.dashboardEnvironment,
    readOnly: flags.dashboardReadOnly,
    insecureHttp: flags.dashboardInsecureHttp,
  })
}

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
  readonly dashboardUserHeader?: string
  readonly dashboardTrustProxy?: readonly string[]
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

const list = (text: string): readonly string[] => text.split(',').filter(Boolean)

/** The settings of the dashboard itself. */
export const dashboardOptions = (): Option[] => [
  new Option('--dashboard-users <file>', 'file of the users of the dashboard, from `takespace dashboard passwd`'),
  new Option(
    '--dashboard-rights <rights>',
    `rights of everybody on this machine, if there are no users: ${ALL_RIGHTS.join(', ')} (default: it can only be read)`,
  ).argParser(rights),
  new Option(
    '--dashboard-user-header <field>',
    'the field in which a proxy in front names the user, such as X-Remote-User; only of --dashboard-trust-proxy',
  ),
  new Option(
    '--dashboard-trust-proxy <addresses>',
    'addresses of that proxy: IP addresses, CIDR ranges, or loopback, with commas between them',
  ).argParser(list),
  new Option(
    '--dashboard-origins <origins>',
    'origins under which browsers reach the dashboard beside localhost, such as https://ops.example.com, with commas between them',
  ).argParser(list),
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
export function checkReach(host: string, flags: DashboardFlags): void {
  const { dashboardUsers, dashboardUserHeader: header, dashboardTrustProxy: proxies } = flags
  if ((header === undefined) !== (proxies === undefined)) {
    throw new SpaceError('INVALID_ARGUMENT', '--dashboard-user-header and --dashboard-trust-proxy need each other.')
  }
  if (isLoopbackName(host) || (dashboardUsers ?? header) !== undefined) return
  throw new SpaceError(
    'INVALID_ARGUMENT',
    `A dashboard on ${host} can be reached by others: it needs --dashboard-users or --dashboard-user-header.`,
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
  const { dashboardUserHeader: header, dashboardTrustProxy: from = [] } = flags
  return createDashboard({
    space,
    path,
    logger,
    users: flags.dashboardUsers,
    rights: flags.dashboardRights,
    proxyLogin: header === undefined ? undefined : { header, from },
    origins: flags.dashboardOrigins,
    environment: flags.dashboardEnvironment,
    readOnly: flags.dashboardReadOnly,
    insecureHttp: flags.dashboardInsecureHttp,
  })
}

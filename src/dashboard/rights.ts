/** The rights of the dashboard: what each allows, and which each role of users has. */

/** By name, what each right allows. */
export const RIGHTS = {
  pause: 'pause and resume services and tasks',
  processes: 'drain, stop, recall and suspend processes',
  cancel: 'withdraw requests',
  tasks: 'cancel tasks',
  schedules: 'run and remove schedules',
  dead: 'requeue, drop and export dead letters',
  transactions: 'abort transactions',
  entries: 'take entries out of the space',
  bodies: 'see one body, input, result or entry at a time, and export bodies',
} as const

export type Right = keyof typeof RIGHTS

export const ALL_RIGHTS = Object.keys(RIGHTS) as readonly Right[]

/** `viewer` sees everything but bodies; `operator` acts on what can be done again; `owner` has all rights. */
export const USER_ROLES = {
  viewer: [],
  operator: ['pause', 'processes', 'cancel', 'tasks', 'schedules', 'dead', 'transactions'],
  owner: ALL_RIGHTS,
} as const satisfies Record<string, readonly Right[]>

export type UserRole = keyof typeof USER_ROLES

/** Who uses the dashboard. */
export interface DashboardUser {
  /** As the audit names it. */
  readonly name: string
  /** Default `viewer`. */
  readonly role?: UserRole | undefined
  /** Rights beside those of the role. */
  readonly rights?: readonly Right[] | undefined
}

/** Returns the rights of a user. */
export const rightsOfUser = ({ role = 'viewer', rights = [] }: DashboardUser): ReadonlySet<Right> =>
  new Set([...USER_ROLES[role], ...rights])

export const isRight = (text: unknown): text is Right => typeof text === 'string' && Object.hasOwn(RIGHTS, text)

export const isUserRole = (text: unknown): text is UserRole =>
  typeof text === 'string' && Object.hasOwn(USER_ROLES, text)

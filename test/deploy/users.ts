/**
 * The users of examples/deploy/redis/users.acl, as this release needs them. `node --import jiti/register test/deploy/users.ts`
 * writes the file.
 */
import { writeFileSync } from 'node:fs'
import { ROLES, type RoleName, rightsOf } from '../../src/engines/redis/roles.js'

const NAMES = Object.keys(ROLES) as RoleName[]

/** The password of a role in the example. */
export const passwordOf = (role: string): string => `replace-this-password-of-${role}`

/** Returns the text of the file. The default user is off: every process has a user of its own. */
export function aclFile(): string {
  const users = NAMES.map((role) => {
    const rights = rightsOf(role, { space: 'default', database: 0, loads: false })
    return ['user', role, 'reset', 'on', `>${passwordOf(role)}`, ...rights].join(' ')
  })
  return `${['user default off', ...users].join('\n')}\n`
}

if (process.argv[1]?.endsWith('users.ts')) {
  writeFileSync(new URL('../../examples/deploy/redis/users.acl', import.meta.url), aclFile())
}

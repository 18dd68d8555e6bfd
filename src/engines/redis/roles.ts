/** Roles: the rights in Redis of each kind of process, made from the commands that it really sends. */
import { keysOf, patternOf } from './keys.js'
import { LIBRARY_COMMANDS } from './library.generated.js'

/**
 * Commands that the connection sends besides the calls of functions: its handshake (HELLO needs no right), the check
 * of the server and of the library, and the subscription to pushes.
 */
const CONNECTING = ['INFO', 'FUNCTION LIST', 'CONFIG GET', 'FCALL', 'SSUBSCRIBE']

/**
 * Redis checks the rights of the caller for every command inside a function. Every process keeps house: its calls
 * end leases, presences and sessions of others. So all of them need all commands of the functions; large bodies (SET,
 * GET, UNLINK) and messages (SPUBLISH) are among these.
 */
const TAKING_PART = [...CONNECTING, ...LIBRARY_COMMANDS]

/** Commands that a look sends, and those by which the function reads (LOOKS and READS in lua/main.lua). */
const LOOKING = ['INFO', 'TIME', 'CONFIG GET', 'FUNCTION LIST', 'FCALL_RO']
const READING = [
  'EXISTS',
  'GET',
  'HGET',
  'HKEYS',
  'HMGET',
  'HSCAN',
  'PUBSUB SHARDNUMSUB',
  'SCARD',
  'SMEMBERS',
  'ZCARD',
  'ZLEXCOUNT',
  'ZRANGE',
  'ZRANGEBYLEX',
  'ZRANGEBYSCORE',
  'ZSCORE',
]

interface Role {
  readonly commands: readonly string[]
  /** Commands on the keys of BullMQ, as a selector: the rights to either keys do not extend to the other ones. */
  readonly onBullmq?: readonly string[]
  /** The keys of the space: written and read by default. */
  readonly keys?: 'read' | 'none'
}

/** BullMQ's commands on the keys of its queues: those of its scripts, and its waits. */
const BULLMQ = (
  'BZPOPMIN DEL EVAL EVALSHA EXISTS GET HDEL HEXISTS HGET HGETALL HINCRBY HLEN HMGET HMSET HSET INCR INCRBY LINDEX ' +
  'LLEN LPOP LPOS LPUSH LRANGE LREM LSET LTRIM PERSIST PEXPIRE PEXPIREAT PTTL RENAME RPOP RPOPLPUSH RPUSH SADD SCARD ' +
  'SET SISMEMBER SMEMBERS SREM TYPE UNLINK XADD XDEL XLEN XRANGE XREAD XTRIM ZADD ZCARD ZCOUNT ZLEXCOUNT ZPOPMIN ' +
  'ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYSCORE ZSCORE'
).split(' ')

/** Commands by which the queue of a scheduler is copied to another server. */
const COPYING = 'GET HGETALL HSET LRANGE PEXPIRE PTTL RPUSH SADD SET SMEMBERS TYPE UNLINK ZADD ZRANGE'.split(' ')

export const ROLES = {
  gateway: { commands: TAKING_PART },
  // Loads of sessions bypass the functions by MGET.
  worker: { commands: [...TAKING_PART, 'MGET'] },
  program: { commands: [...TAKING_PART, 'MGET'] },
  scheduler: { commands: [...TAKING_PART, 'CLIENT SETNAME'], onBullmq: BULLMQ },
  mover: { commands: [...TAKING_PART, 'MGET', 'SCAN'], onBullmq: COPYING },
  observer: { commands: [...LOOKING, ...READING], keys: 'read' },
  loader: { commands: ['FUNCTION LIST', 'FUNCTION LOAD'], keys: 'none' },
} as const satisfies Record<string, Role>

export type RoleName = keyof typeof ROLES

export interface RuleTerms {
  readonly user: string
  /** The name of the space. */
  readonly space: string
  readonly database: number
  /** The servers that tell where the primary is; then its replicas are asked, too, and on a Cluster there may be partitions. */
  readonly seeds?: 'sentinel' | 'cluster' | undefined
  /** True if the role may load the function library; the loader always may. */
  readonly loads: boolean
}

/** Returns the rights of a role as ACL SETUSER takes them, without a password. */
export function rightsOf(name: RoleName, terms: Omit<RuleTerms, 'user'>): string[] {
  const { space, database, seeds, loads } = terms
  const { commands, onBullmq, keys }: Role = ROLES[name]
  const { prefix } = keysOf(space)
  const patterns = [prefix, ...(seeds === 'cluster' ? [prefix.replace(/\}:$/, '/')] : [])].map(patternOf)
  const own =
    keys === 'none'
      ? []
      : patterns.flatMap((pattern) => (keys === 'read' ? [`%R~${pattern}`] : [`~${pattern}`, `&${pattern}`]))
  const more = [...(loads && !keys ? ['FUNCTION LOAD'] : []), ...(database > 0 ? ['SELECT'] : [])]
  if (seeds && !keys) more.push('WAIT')
  if (seeds === 'cluster') more.push('CLUSTER SLOTS')
  const queues = seeds === 'cluster' ? '{bull}:*' : 'bull:*'
  const selector = onBullmq ? [`(~${queues} ${additions(onBullmq).join(' ')})`] : []
  return [...own, ...additions([...commands, ...more]), ...selector]
}

const additions = (commands: readonly string[]): string[] =>
  [...new Set(commands.map((each) => `+${each.toLowerCase().replace(' ', '|')}`))].sort()

/** Returns the command for redis-cli that makes a user with the rights of a role. */
export const setUserCommand = (role: RoleName, { user, ...terms }: RuleTerms): string =>
  ['ACL', 'SETUSER', user, 'reset', 'on', '>PASSWORD', ...rightsOf(role, terms)]
    .map((word) => (word.includes(' ') ? `"${word}"` : word))
    .join(' ')

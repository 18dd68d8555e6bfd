/** `takespace doctor`: checks the server of a space and says what to do. */
import type { Command } from 'commander'
import type { Inspection } from '../../engines/redis/inspect.js'
import type { SeenMove } from '../../engines/redis/inspect-move.js'
import { type ErrorCode, SpaceError } from '../../errors.js'
import { isRedisUrl, openSpace } from '../../open.js'
import { describe } from '../failure.js'
import { sharedUrl } from '../settings/shared-url.js'
import { type Check, check } from './doctor-check.js'
import { nodeChecks } from './doctor-nodes.js'

interface Flags {
  readonly url: string
  readonly name: string
  readonly json?: true
  readonly repair?: true
}

const TIMEOUT_MS = 5_000
const SLOW_MS = 5
const CLOCK_OFF_MS = 1_000
/** Fraction of the server's limit. */
const NEARLY_FULL = 0.8

export async function doctor({ url: given, name, json, repair }: Flags, command: Command): Promise<void> {
  const url = sharedUrl(command, given)
  const checks = [...(await checkServer(url, name))]
  if (checks.every(({ status }) => status !== 'fail')) checks.push(...(await moveChecks(url, name)))
  if (repair && checks.every(({ status }) => status !== 'fail')) checks.push(await repaired(url, name))
  process.stdout.write(json ? `${JSON.stringify(checks, null, 2)}\n` : checks.map(lineOf).join(''))
  if (checks.some(({ status }) => status === 'fail')) process.exitCode = 1
}

async function checkServer(url: string, name: string): Promise<readonly Check[]> {
  try {
    const { adviceFor } = await import('../../engines/redis/wire/address.js')
    if (!isRedisUrl(url)) throw new SpaceError('URL_UNKNOWN', adviceFor(url))
    const { inspect } = await import('../../engines/redis/inspect.js')
    return checksOf(await inspect(url, name, TIMEOUT_MS))
  } catch (error) {
    const code = error instanceof SpaceError ? error.code : 'INTERNAL'
    const check = code === 'URL_UNKNOWN' ? 'address' : 'connection'
    return [{ check, status: 'fail', found: describe(error), todo: REMEDIES[code] ?? REMEDIES.URL_UNKNOWN! }]
  }
}

const MOVES: Readonly<Record<SeenMove, [found: string, todo: string]>> = {
  joined: [
    'is about to move to another address, or to other partitions',
    'Restart all processes with both addresses; takespace migrate goes on.',
  ],
  moving: [
    'moves to another address, or to other partitions',
    'Give processes both addresses. If takespace migrate has ended, run it again.',
  ],
  moved: ['has moved to another address', 'Give processes the new address alone.'],
  arriving: ['moves to this address', 'Give processes both addresses until it has arrived.'],
}

/** Returns a check if the space moves. */
async function moveChecks(url: string, name: string): Promise<readonly Check[]> {
  const { inspectMove } = await import('../../engines/redis/inspect-move.js')
  const move = await inspectMove(url, name, TIMEOUT_MS).catch(() => undefined)
  return move ? [check('move', `the space ${MOVES[move][0]}`, ['warn', MOVES[move][1]])] : []
}

/** Repairs a space while its processes run. */
async function repaired(url: string, name: string): Promise<Check> {
  const { putAside } = await import('../../engines/redis/repair.js')
  const aside = await putAside(url, name)
  const space = await openSpace(url, { name })
  try {
    const { entries, restored, damaged, unsure } = await space.repair()
    const counts = `${entries} entries, ${restored} indexed again, ${damaged} damaged, ${aside.length} foreign keys`
    const found = unsure > 0 ? `${counts}, ${unsure} held or lost` : counts
    const todo = [
      ...(damaged > 0 ? ['Look at the damaged ones: takespace dead ls.'] : []),
      ...(unsure > 0 ? ['Too many entries are held to tell which are lost. Repair again when fewer are.'] : []),
    ].join(' ')
    return { check: 'repair', status: todo === '' ? 'ok' : 'warn', found, todo }
  } finally {
    await space.close()
  }
}

const REMEDIES: Partial<Record<ErrorCode, string>> = {
  URL_UNKNOWN: 'Give the right address with --url.',
  REDIS_REFUSED: 'Correct the user, the password or the rights of the user.',
  REDIS_UNSUITABLE: 'Give the address of another server with --url.',
  TLS_FAILED: 'Correct the address, --tls-ca, --tls-cert, --tls-key or --tls-servername.',
  INVALID_ARGUMENT: 'Correct the setting.',
}

const lineOf = ({ check, status, found, todo }: Check): string =>
  `${status.padEnd(4)}  ${check.padEnd(12)}  ${found}${todo && `  → ${todo}`}\n`

function checksOf(server: Inspection): readonly Check[] {
  const { version, role, unsuitable, slotError, policy, aof, appendfsync, latencyMs, clockOffsetMs } = server
  const full = server.maxmemory > 0 && server.usedMemory > server.maxmemory * NEARLY_FULL
  const crowded = server.maxConnections !== null && server.connections > server.maxConnections * NEARLY_FULL
  return [
    check('version', version, !(Number.parseInt(version, 10) >= 7) && ['fail', 'Upgrade to Redis 7.0 or Valkey.']),
    check(
      'role',
      unsuitable ?? slotError ?? role ?? 'unknown',
      (unsuitable ?? slotError) !== null && ['fail', 'Give the address of a server that serves the whole space.'],
    ),
    check('policy', policy ?? 'unknown', policyOf(policy)),
    check(
      'AOF',
      aof ? `on, appendfsync ${appendfsync ?? 'unknown'}` : 'off',
      !aof && ['warn', 'Set appendonly yes, or a restart of the server loses all requests and entries.'],
    ),
    check('maxmemory', memoryOf(server), memoryAdvice(server.maxmemory, full)),
    check('functions', librariesOf(server), libraryAdvice(server)),
    check('rights', rightsOf(server), rightsAdvice(server)),
    check(
      'clock',
      `${clockOffsetMs} ms from ours`,
      Math.abs(clockOffsetMs) > CLOCK_OFF_MS && ['warn', 'Run NTP on both machines: times in logs do not agree.'],
    ),
    check(
      'latency',
      `${latencyMs.toFixed(2)} ms`,
      latencyMs > SLOW_MS && [
        'warn',
        'Bring the processes nearer to the server, or look for slow commands: SLOWLOG GET.',
      ],
    ),
    check(
      'connections',
      `${server.connections} of ${server.maxConnections ?? 'unknown'}`,
      crowded && ['warn', 'Raise maxclients before the server refuses new processes.'],
    ),
    ...nodeChecks(server.surroundings, server.sentinels),
  ]
}

function policyOf(policy: string | null): false | ['warn' | 'fail', string] {
  if (policy === null) return ['warn', 'See to it that maxmemory-policy is noeviction.']
  return policy !== 'noeviction' && ['fail', 'Set maxmemory-policy to noeviction, or entries disappear.']
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`

const memoryOf = ({ usedMemory, maxmemory }: Inspection): string =>
  `${megabytes(usedMemory)} of ${maxmemory > 0 ? megabytes(maxmemory) : 'no limit'}`

function memoryAdvice(maxmemory: number, full: boolean): false | ['warn', string] {
  if (full) return ['warn', 'Nearly full: new requests will be refused. Raise maxmemory or add workers.']
  return maxmemory === 0 && ['warn', 'Set maxmemory below what the machine has, or the system may kill the server.']
}

function libraryAdvice({ libraries, ownLibraryState }: Inspection): false | ['fail', string] {
  if (libraries === null) return ['fail', 'Allow this user +function|list.']
  return ownLibraryState === 'differs' && ['fail', 'Find out who loaded it; `takespace load` replaces it.']
}

function rightsOf({ missing }: Inspection): string {
  if (missing === null) return 'are checked once the functions are loaded'
  const { denied, lacking } = missing
  if (denied.length + lacking.length === 0) return 'this user may run all commands of the functions'
  return [
    ...(denied.length > 0 ? [`this user may not run ${denied.join(', ')}`] : []),
    ...(lacking.length > 0 ? [`this server lacks ${lacking.join(', ')}`] : []),
  ].join('; ')
}

function rightsAdvice({ missing }: Inspection): false | ['warn' | 'fail', string] {
  if (missing?.denied[0] === 'FCALL') return ['warn', 'An observer needs no more; others: see `takespace acl`.']
  if (missing?.lacking.length) return ['fail', 'Undo rename-command, or give another server.']
  return Boolean(missing?.denied.length) && ['fail', 'Give the user the rights that `takespace acl` prints.']
}

function librariesOf({ libraries, ownLibrary, ownLibraryState }: Inspection): string {
  if (libraries === null) return 'unknown'
  const others = libraries.filter((name) => name !== ownLibrary).length
  const own =
    ownLibraryState === 'differs'
      ? 'is the name of another library'
      : ownLibraryState === 'loaded'
        ? 'is loaded'
        : 'is loaded by the first process that needs it'
  return `${ownLibrary} ${own}${others > 0 ? `; ${others} of other releases` : ''}`
}

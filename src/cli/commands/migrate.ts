/**
 * `takespace migrate`: moves a space to another Redis, or to another number of partitions, while its processes serve; or
 * tells where a move stands.
 */
import type { Command } from 'commander'
import { monotonicMs } from '../../clock.js'
import type { MoveProgress } from '../../engines/redis/mover.js'
import { SpaceError } from '../../errors.js'
import { silent } from '../../log.js'
import { isRedisUrl } from '../../open.js'
import { queueNameOf } from '../../scheduler.js'
import { masked } from '../failure.js'
import { sharedNextUrl, sharedUrl } from '../settings/shared-url.js'

interface Flags {
  readonly url?: string
  readonly nextUrl?: string
  readonly name: string
  readonly dryRun?: true
  readonly json?: true
}

const CONNECT_TIMEOUT_MS = 5_000
/** How often a line is printed while it goes on. */
const LINE_MS = 1_000
/** The exit code if the space has not moved. */
const EXIT_NOT_MOVED = 1

export async function migrate(flags: Flags, command: Command): Promise<void> {
  const { name, dryRun, json } = flags
  const url = sharedUrl(command, flags.url)
  const nextUrl = sharedNextUrl(command, flags.nextUrl)
  if (nextUrl === undefined) throw new SpaceError('INVALID_ARGUMENT', 'Give the address to move to with --next-url.')
  if (!isRedisUrl(url) || !isRedisUrl(nextUrl)) throw new SpaceError('URL_UNKNOWN')
  const [{ openMoving }, { Mover }, { carryingOf }] = await Promise.all([
    import('../../engines/redis/moving.js'),
    import('../../engines/redis/mover.js'),
    import('../../engines/redis/carrying.js'),
  ])
  const terms = {
    name,
    durability: undefined,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    logger: silent,
    bounds: {},
    access: {},
  }
  const print = printer(json === true)
  const engine = await openMoving(url, nextUrl, terms, undefined)
  if (!engine) return print(THERE, true)
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(STOPPED))
  const carrying = carryingOf(engine, { ...terms, url, nextUrl, queue: queueNameOf(name) })
  try {
    const mover = new Mover(engine, carrying, print, stop.signal)
    if (dryRun) {
      const progress = await mover.status()
      print(progress, true)
      if (progress.step !== 'moved') process.exitCode = EXIT_NOT_MOVED
      return
    }
    await mover.run()
    if (!json)
      process.stdout.write(`The space is at ${masked(nextUrl)}. Restart its processes with this address alone.\n`)
  } catch (error) {
    if (error !== STOPPED) throw error
    process.stderr.write('takespace: Interrupted. Nothing is lost; run it again to go on.\n')
    process.exitCode = EXIT_NOT_MOVED
  } finally {
    await engine.close()
  }
}

const STOPPED = new Error('Interrupted')

/** Within a Cluster the space has the new partitions already. */
const THERE: MoveProgress = { step: 'moved', phase: 'moved', behind: [], moved: 0, left: { entries: 0, sessions: 0 } }

/** Prints a line when something else is to be said, and at most one a second. */
function printer(json: boolean): (progress: MoveProgress, always?: boolean) => void {
  let last = ''
  let at = Number.NEGATIVE_INFINITY
  return (progress, always = false) => {
    const what = `${progress.step} ${progress.phase} ${progress.behind.join()}`
    const now = monotonicMs()
    if (!always && what === last && now - at < LINE_MS) return
    last = what
    at = now
    process.stdout.write(json ? `${JSON.stringify(progress)}\n` : `${lineOf(progress)}\n`)
  }
}

/** The names of processes begin with the time at which they were opened (UUIDv7). */
const openedAt = (presence: string): string =>
  new Date(Buffer.from(presence, 'base64url').readUIntBE(0, 6)).toISOString()

function lineOf({ step, phase, behind, moved, left }: MoveProgress): string {
  if (step === 'waiting') {
    const names = behind.map((presence) => `${presence} (since ${openedAt(presence)})`).join(', ')
    return phase === 'joined'
      ? `waiting for ${behind.length} processes to be restarted with both addresses: ${names}`
      : `waiting for ${behind.length} processes to follow: ${names}`
  }
  if (step === 'moved') return 'moved: nothing is left in the old partitions'
  const rest = `${left.entries} entries and ${left.sessions} sessions are left`
  return step === 'settling'
    ? `settling: ${rest}, which processes hold or are about to take`
    : `${phase}: ${moved} moved, ${rest}`
}

/**
 * Defects to plant, by which the checker is checked: each is a copy of our build with one piece of text replaced, so that nothing in src
 * knows of them. A piece that is no longer there exactly once is an error: then the defect has to be thought of anew.
 */
import { type Change, changedBuild } from '../support/builds.js'
import { type Run, run, type Settings } from './run.js'

export interface Defect extends Change {
  /** The least that brings it to light. */
  readonly workload: Pick<Settings, 'faults' | 'roles' | 'workMs'>
  /** Part of the ordinary test run. */
  readonly isQuick?: true
  /** What has to catch it; others may as well. */
  readonly caughtBy: readonly string[]
}

const SERVICE = ['gateway', 'worker', 'worker', 'gateway']
const ENTRIES = ['trader', 'trader', 'trader']

export const DEFECTS: readonly Defect[] = [
  {
    name: 'take without token check',
    of: 'lua',
    pieces: [
      [
        "elseif call('SREM', ownKeys.claims, claim) == 1 and call('HDEL', keys.entries, id) == 1 then",
        "elseif call('SREM', ownKeys.claims, claim) and call('HDEL', keys.entries, id) then",
      ],
    ],
    workload: { faults: [], roles: ENTRIES },
    caughtBy: ['one holder'],
  },
  {
    name: 'completion without token check',
    of: 'lua',
    pieces: [['if isHeld[j] == 1 then', 'if isHeld[j] then']],
    workload: { faults: ['freeze'], roles: SERVICE, workMs: 20 },
    caughtBy: ['one answer, of the accepted claim', 'one holder'],
  },
  {
    name: 'sweep ignoring a renewal',
    of: 'lua',
    pieces: [
      [
        'if hasExpired(record) or isOrphan(ids[i], record) then\n            remove(ids[i], record)\n          elseif',
        'if true then\n            remove(ids[i], record)\n          elseif',
      ],
    ],
    workload: { faults: [], roles: ['trader', 'trader'] },
    caughtBy: ['nothing overlooked', 'each entry linearizable'],
  },
  {
    name: 'token reset after failover',
    of: 'lua',
    pieces: [
      ['counters.tok = counters.tok < us and us or counters.tok + 1', 'counters.tok = counters.tok + 1'],
      ['counters.generation = serverRun, nil\n', 'counters.generation = serverRun, nil\n  counters.tok = 0\n'],
    ],
    workload: { faults: ['restart', 'freeze'], roles: SERVICE, workMs: 100 },
    caughtBy: ['tokens rise'],
  },
  {
    name: 'de-duplication of operation ids removed',
    isQuick: true,
    of: 'lua',
    pieces: [['known[3] and replay(known[3], number)', 'nil']],
    workload: { faults: ['drop'], roles: ['trader', 'trader', 'gateway', 'worker'] },
    caughtBy: ['one holder', 'one answer, of the accepted claim', 'each entry linearizable', 'nothing lost'],
  },
  {
    name: 'half-done function',
    of: 'lua',
    pieces: [
      [
        'removeRecords(committed and did.taken or did.written, did.large)',
        "removeRecords(committed and did.taken or did.written, did.large)\n  if committed and #did.taken > 0 then error('half') end",
      ],
    ],
    workload: { faults: [], roles: ENTRIES },
    caughtBy: ['all or nothing', 'scan of Redis'],
  },
  {
    name: 'response released before its level',
    of: 'lua',
    pieces: [
      ['local isHeld = n == 1 and', 'redis.set_repl(redis.REPL_NONE)\n  local isHeld = n == 1 and'],
      [
        "call('HDEL', keys.entries, unpack_(ids))\n  for j",
        "call('HDEL', keys.entries, unpack_(ids))\n  redis.set_repl(redis.REPL_ALL)\n  for j",
      ],
    ],
    workload: { faults: ['restart'], roles: SERVICE },
    caughtBy: ['one answer, of the accepted claim'],
  },
  {
    name: 'change without a look at what was changed meanwhile',
    of: 'lua',
    pieces: [['if found ~= id or signature ~= expected then', 'if found ~= id then']],
    workload: { faults: [], roles: ENTRIES },
    caughtBy: ['each update counts once'],
  },
  {
    name: 'write acknowledged before its level',
    of: 'js',
    pieces: [
      [
        "ask(this.#batches, 'writeAll', { entries: this.#packed(entries) }, options)",
        "(ask(this.#batches, 'writeAll', { entries: this.#packed(entries) }, options).catch(() => {}), { kind: 'k', values: [], now: Date.now() })",
      ],
    ],
    workload: { faults: ['restart'], roles: ENTRIES },
    caughtBy: ['nothing lost', 'nothing overlooked'],
  },
  {
    name: 'condition that is not verified',
    of: 'lua',
    pieces: [['if isMet(conditions[i], text, from, stop) == conditions[i].isNegated then return false end', '']],
    workload: { faults: [], roles: ENTRIES },
    caughtBy: ['nothing invented'],
  },
  {
    name: 'range without its upper bound',
    of: 'lua',
    pieces: [
      [
        'compare(kind, value, operands[1]) >= 0 and compare(kind, value, operands[2]) <= 0',
        'compare(kind, value, operands[1]) >= 0 and compare(kind, value, operands[2]) < 0',
      ],
    ],
    workload: { faults: [], roles: ENTRIES },
    caughtBy: ['nothing overlooked'],
  },
]

export interface Caught {
  /** The checks that raised an alarm, with how many lines each. Empty: it was not caught. */
  readonly by: Readonly<Record<string, number>>
  readonly seconds: number
  readonly operations: number
  readonly last: Run
}

/** Longer and longer runs until one catches it. */
const ATTEMPTS_SECONDS = [1.5, 3, 6, 12, 24]

export async function hunt(defect: Defect, seed: number): Promise<Caught> {
  const dist = changedBuild(defect)
  let seconds = 0
  let operations = 0
  for (const [i, attempt] of ATTEMPTS_SECONDS.entries()) {
    const last = await run({ ...defect.workload, seconds: attempt, seed: seed + i, dist })
    seconds += attempt
    operations += last.history.operations.length
    const by: Record<string, number> = {}
    for (const { check } of last.violations) if (check !== 'the fault hit') by[check] = (by[check] ?? 0) + 1
    if (defect.caughtBy.some((check) => check in by) || i === ATTEMPTS_SECONDS.length - 1) {
      return { by, seconds, operations, last }
    }
  }
  throw new Error('there are no attempts')
}

export const isCaught = ({ caughtBy }: Defect, { by }: Caught): boolean => caughtBy.some((check) => check in by)

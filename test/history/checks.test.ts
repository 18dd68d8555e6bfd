/** The checks of a history on histories made by hand: each finds what it is there for, and nothing in a history that is right. */
import { describe, expect, test } from '@jest/globals'
import { form } from '../faults/form.js'
import { check } from './checks/index.js'
import { historyOf } from './history.js'

/** Milliseconds of a made-up clock; times in lines are microseconds. */
const line = (record: object): string => JSON.stringify(record)
let ops = 0

interface Asked {
  readonly p?: string
  /** Invoke and return, ms; no return: cut off. */
  readonly at: readonly [number, number?]
  readonly out?: string
  readonly [more: string]: unknown
}

function op(what: string, { p = 'p', at: [invoked, returned], out = 'ok', found, count, ...more }: Asked): string[] {
  const name = `${p}.${++ops}`
  const invoke = line({ is: 'invoke', p, op: name, what, at: invoked * 1000, ...more })
  if (returned === undefined) return [invoke]
  const value = { ...(found !== undefined && { value: found }), ...(count !== undefined && { count }) }
  return [invoke, line({ is: 'return', op: name, at: returned * 1000, out, ...value })]
}

const event = (what: string, at: number, more: object = {}): string[] => [
  line({ is: 'event', p: 'p', what, at: at * 1000, ...more }),
]

const write = (value: string, at: [number, number?], more: object = {}): string[] =>
  op('write', { at, group: 'g', values: [value], leaseMs: 600_000, ...more })
const take = (found: string | undefined, at: [number, number?], more: object = {}): string[] =>
  op('take', { at, group: 'g', waitMs: 0, found, out: found === undefined ? 'none' : 'ok', ...more })
const read = (found: string | undefined, at: [number, number?], more: object = {}): string[] =>
  op('read', { at, group: 'g', waitMs: 0, found, out: found === undefined ? 'none' : 'ok', ...more })
const cancel = (value: string, at: [number, number?], more: object = {}): string[] =>
  op('cancel', { at, value, ...more })
const renew = (value: string, at: [number, number?], more: object = {}): string[] =>
  op('renew', { at, value, leaseMs: 5_000, ...more })

const update = (count: number | undefined, at: [number, number?], more: object = {}): string[] =>
  op('update', { at, count, out: count === undefined ? 'none' : 'ok', ...more })

const request = (value: string, at: [number, number?], more: object = {}): string[] =>
  op('request', { p: 'g', at, values: [value], repeatable: false, ...more })
const deliver = (value: string, claim: string, at: number, more: object = {}): string[] =>
  event('deliver', at, { value, claim, attempt: 1, grantedAt: at, ...more })
const start = (value: string, claim: string, at: [number, number?], more: object = {}): string[] => [
  ...op('start', { at, value, claim, ...more }),
  ...event('execute', (at[1] ?? 0) + 0.001, { value, claim }),
]
const complete = (value: string, claim: string, at: [number, number?], more: object = {}): string[] =>
  op('complete', { at, value, claim, ...more })
const answered = (value: string, claim: string, at: number): string[] =>
  event('outcome', at, { p: 'g', value, kind: 'completed', body: `${value}|${claim}` })

const found = (...lines: string[][]): string[] => check(historyOf(lines.flat())).map(({ check: by }) => by)
const FIRST = 'id:64.1.n'
const SECOND = 'id:65.1.n'

describe('what is right raises no alarm', () => {
  const right: Record<string, string[][]> = {
    'cut off in its commit, and what it wrote was taken under another transaction': [
      write('a', [1, 2]),
      take('a', [3, 4], { tx: 't' }),
      write('b', [4, 5], { tx: 't' }),
      op('commit', { at: [6], tx: 't' }),
      take('b', [7, 8], { tx: 'u' }),
      op('commit', { at: [8, 9], tx: 'u' }),
    ],
    'cut off in its commit, and what it took was taken under another transaction that was cut off, too': [
      write('a', [1, 2]),
      take('a', [3, 4], { tx: 't' }),
      write('b', [4, 5], { tx: 't' }),
      op('commit', { at: [6], tx: 't' }),
      take('a', [7, 8], { tx: 'u', p: 'q' }),
      op('commit', { at: [9], tx: 'u', p: 'q' }),
    ],
    'cut off in its commit, and what it took was taken by a cut-off take of a transaction that committed': [
      write('a', [1, 2]),
      take('a', [3, 4], { tx: 't' }),
      write('b', [4, 5], { tx: 't' }),
      op('commit', { at: [6], tx: 't' }),
      take(undefined, [7, 8], { tx: 'u', p: 'q', out: 'unknown' }),
      op('commit', { at: [9, 10], tx: 'u', p: 'q' }),
    ],
    'cut off in its commit, and a cut-off cancel of what it took': [
      write('a', [1, 2]),
      take('a', [3, 4], { tx: 't' }),
      write('b', [4, 5], { tx: 't' }),
      op('commit', { at: [6], tx: 't' }),
      cancel('a', [7], { p: 'q' }),
    ],
    'written, read, taken': [write('a', [1, 2]), read('a', [3, 4]), take('a', [5, 6]), take(undefined, [7, 8])],
    'taken while the write is under way': [write('a', [1, 5]), take('a', [2, 4])],
    'cancelled while it is taken, and refused': [
      write('a', [1, 2]),
      take('a', [3, 6]),
      cancel('a', [4, 5], { out: 'refused' }),
    ],
    'a cut-off write that nobody meets, and one that somebody does': [
      write('a', [1], { p: 'q' }),
      write('b', [1], { p: 'r' }),
      take('b', [50, 51]),
    ],
    'a missing entry, and a cut-off take': [write('a', [1, 2]), take(undefined, [3], { p: 'q' })],
    'nothing found while somebody takes': [write('a', [1, 2]), take('a', [3, 9], { p: 'q' }), take(undefined, [4, 5])],
    'updates that follow each other, or go on at the same time, and one that was cut off': [
      update(1, [1, 2]),
      update(3, [3, 6]),
      update(2, [4, 5]),
      update(undefined, [6, 7]),
      update(undefined, [6]),
      event('tally', 9, { count: 4 }),
    ],
    'a lease that has ended': [write('a', [1, 2], { leaseMs: 100 }), read('a', [50, 51]), read(undefined, [130, 131])],
    'a transaction that commits': [
      write('a', [1, 2]),
      take('a', [3, 4], { tx: 't' }),
      write('b', [4, 5], { tx: 't' }),
      op('commit', { at: [6, 7], tx: 't' }),
      take('b', [6, 8], { p: 'q' }),
    ],
    'a transaction that aborts': [
      write('a', [1, 2]),
      take('a', [3, 4], { tx: 't' }),
      write('b', [4, 5], { tx: 't' }),
      op('abort', { at: [6, 7], tx: 't' }),
      take('a', [6, 8], { p: 'q' }),
    ],
    'what a transaction has taken can be cancelled': [
      write('a', [1, 2]),
      take('a', [3, 4], { tx: 't' }),
      cancel('a', [5, 6], { p: 'q' }),
      op('commit', { at: [7, 8], tx: 't' }),
    ],
    'a cut-off commit that did not happen': [
      write('a', [1, 2]),
      take('a', [3, 4], { tx: 't' }),
      write('b', [4, 5], { tx: 't' }),
      op('commit', { at: [6], tx: 't' }),
      take('a', [50, 51], { p: 'q' }),
    ],
    'a request that was given up while the only worker was killed and another one started': [
      event('hello', 0, { p: 'w1' }),
      request('r', [1, 2]),
      event('killed', 3, { p: 'w1' }),
      event('hello', 2_500, { p: 'w2' }),
      event('timeout', 4_001, { p: 'g', value: 'r' }),
      event('bye', 5_000, { p: 'w2' }),
    ],
    'a request, answered': [
      request('r', [1, 2]),
      deliver('r', FIRST, 2),
      start('r', FIRST, [3, 4]),
      complete('r', FIRST, [5, 6]),
      answered('r', FIRST, 6),
    ],
    'a request, given to another one; the first is refused': [
      request('r', [1, 2], { repeatable: true }),
      deliver('r', FIRST, 2),
      deliver('r', SECOND, 5, { p: 'q', attempt: 2 }),
      complete('r', SECOND, [6, 7], { p: 'q' }),
      answered('r', SECOND, 7),
      complete('r', FIRST, [8, 9], { out: 'refused' }),
    ],
  }
  for (const [name, lines] of Object.entries(right)) test(name, () => expect(found(...lines)).toEqual([]))
})

describe('what is wrong is found', () => {
  const wrong: Record<string, [by: string, ...lines: string[][]]> = {
    'an entry out of nowhere': ['nothing invented', take('a', [1, 2])],
    'an entry of an aborted transaction': [
      'nothing invented',
      write('a', [1, 2], { tx: 't' }),
      op('abort', { at: [3, 4], tx: 't' }),
      read('a', [5, 6], { p: 'q' }),
    ],
    'a request out of nowhere': ['nothing invented', deliver('r', FIRST, 1)],
    'an entry of another group': ['nothing invented', write('a', [1, 2]), take('a', [3, 4], { group: 'h' })],
    'an entry that is nowhere': ['nothing lost', write('a', [1, 2])],
    'two entries that are nowhere, and one cut-off take': [
      'nothing lost',
      write('a', [1, 2]),
      write('b', [1, 2]),
      take(undefined, [3], { p: 'q' }),
    ],
    'an entry that is nowhere, and a cut-off take of another group': [
      'nothing lost',
      write('a', [1, 2]),
      take(undefined, [3], { p: 'q', group: 'h' }),
    ],
    'an entry taken twice': ['one holder', write('a', [1, 2]), take('a', [3, 5]), take('a', [4, 6], { p: 'q' })],
    'an entry taken and cancelled': ['one holder', write('a', [1, 2]), take('a', [3, 6]), cancel('a', [4, 5])],
    'two claims at once': [
      'one holder',
      request('r', [1, 2]),
      deliver('r', FIRST, 3),
      deliver('r', SECOND, 4, { p: 'q', attempt: 2 }),
      start('r', SECOND, [5, 6], { p: 'q' }),
      complete('r', FIRST, [7, 8]),
      answered('r', FIRST, 9),
    ],
    'a later claim with a smaller number': [
      'tokens rise',
      request('r', [1, 2], { repeatable: true }),
      deliver('r', SECOND, 3),
      deliver('r', FIRST, 5, { attempt: 2 }),
      complete('r', FIRST, [6, 7]),
      answered('r', FIRST, 8),
    ],
    'the same number for two': [
      'tokens rise',
      request('r', [1, 2]),
      request('s', [1, 2]),
      deliver('r', 'r:64.1.n', 3),
      deliver('s', 's:64.1.m', 3),
      event('outcome', 4, { p: 'g', value: 'r', kind: 'lost' }),
      event('outcome', 4, { p: 'g', value: 's', kind: 'lost' }),
    ],
    'two completions accepted': [
      'one answer, of the accepted claim',
      request('r', [1, 2], { repeatable: true }),
      deliver('r', FIRST, 3),
      complete('r', FIRST, [4, 5]),
      deliver('r', SECOND, 6, { attempt: 2 }),
      complete('r', SECOND, [7, 8]),
      answered('r', FIRST, 5),
    ],
    'the answer of one that was refused': [
      'one answer, of the accepted claim',
      request('r', [1, 2], { repeatable: true }),
      deliver('r', FIRST, 3),
      complete('r', FIRST, [4, 5], { out: 'refused' }),
      answered('r', FIRST, 6),
    ],
    'an answer that nobody gave': [
      'one answer, of the accepted claim',
      request('r', [1, 2], { repeatable: true }),
      deliver('r', FIRST, 3),
      answered('r', FIRST, 4),
    ],
    'an answer and then a start': [
      'one answer, of the accepted claim',
      request('r', [1, 2]),
      deliver('r', FIRST, 3),
      complete('r', FIRST, [4, 5]),
      answered('r', FIRST, 6),
      deliver('r', SECOND, 7, { attempt: 2 }),
      start('r', SECOND, [8, 9]),
    ],
    'what may run once, run twice': [
      'one answer, of the accepted claim',
      request('r', [1, 2]),
      deliver('r', FIRST, 3),
      start('r', FIRST, [4, 5]),
      deliver('r', SECOND, 6, { attempt: 2 }),
      start('r', SECOND, [7, 8]),
      event('outcome', 9, { p: 'g', value: 'r', kind: 'lost' }),
    ],
    'a write seen before its commit': [
      'all or nothing',
      write('a', [1, 2], { tx: 't' }),
      read('a', [3, 4], { p: 'q' }),
      op('commit', { at: [5, 6], tx: 't' }),
      take('a', [7, 8]),
    ],
    'half a transaction': [
      'all or nothing',
      write('a', [1, 2]),
      take('a', [3, 4], { tx: 't' }),
      write('b', [4, 5], { tx: 't' }),
      op('commit', { at: [6], tx: 't' }),
    ],
    'a read before the write': ['each entry linearizable', read('a', [1, 2]), write('a', [3, 4]), take('a', [5, 6])],
    'a read after the take': ['each entry linearizable', write('a', [1, 2]), take('a', [3, 4]), read('a', [5, 6])],
    'a read after the lease': ['each entry linearizable', write('a', [1, 2], { leaseMs: 100 }), read('a', [130, 131])],
    'a renewal refused while it is there': [
      'each entry linearizable',
      write('a', [1, 2]),
      renew('a', [3, 4], { out: 'refused' }),
      take('a', [5, 6]),
    ],
    'nothing found where something was': [
      'nothing overlooked',
      write('a', [1, 2]),
      take(undefined, [3, 4]),
      take('a', [5, 6]),
    ],
    'nothing found although the lease was renewed': [
      'nothing overlooked',
      write('a', [1, 2], { leaseMs: 100 }),
      renew('a', [50, 51]),
      read(undefined, [200, 201]),
    ],
    'two updates that made the same of what they changed': [
      'each update counts once',
      update(1, [1, 4]),
      update(1, [2, 3]),
    ],
    'an update of what was there before another one': ['each update counts once', update(2, [1, 2]), update(1, [3, 4])],
    'an update that is lost': ['each update counts once', update(1, [1, 2]), event('tally', 9, { count: 0 })],
    'an update that counted twice': ['each update counts once', update(1, [1, 2]), event('tally', 9, { count: 2 })],
    'a process that does not finish': ['settled', event('hello', 1)],
    'a request without an answer': ['settled', request('r', [1, 2])],
    'a request that its gateway gave up for no reason': [
      'settled',
      request('r', [1, 2]),
      event('timeout', 4_001, { p: 'g', value: 'r' }),
    ],
    'a request that was given up although one of two workers was there': [
      'settled',
      event('hello', 0, { p: 'w1' }),
      event('hello', 0, { p: 'w2' }),
      request('r', [1, 2]),
      event('killed', 3, { p: 'w1' }),
      event('timeout', 4_001, { p: 'g', value: 'r' }),
      event('bye', 5_000, { p: 'w2' }),
    ],
  }
  for (const [name, [by, ...lines]] of Object.entries(wrong)) test(name, () => expect(found(...lines)).toContain(by))
})

const ENTRIES = form(10_000, 30_000)

test(`${ENTRIES} entries are checked in seconds of CPU`, () => {
  const lines = Array.from({ length: ENTRIES }, (_, i) => [
    ...write(`v${i}`, [i, i + 1], { group: `g${i % 1_000}` }),
    ...take(`v${i}`, [i + 2, i + 3], { group: `g${i % 1_000}` }),
  ])
  const history = historyOf(lines.flat())
  const before = process.cpuUsage()
  expect(check(history)).toEqual([])
  expect(process.cpuUsage(before).user / 1_000_000).toBeLessThan(ENTRIES / 5_000)
})

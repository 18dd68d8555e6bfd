/** The Lua files are joined only if each name has one owner, and each owner says what it shares. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { ANY_KIND, CONTROL, DEAD_LETTER, OWN_KINDS } from '../../src/engine/entries.js'
import { SESSION } from '../../src/engine/sessions.js'
import { CANCELLED, COMPLETED, EXHAUSTED, LOST, PENDING, RESULT, TICKET } from '../../src/engine/tickets.js'
import * as names from '../../src/engines/redis/key-names.js'
import * as own from '../../src/engines/redis/protocol.js'
import { REQUEST, TASK } from '../../src/request/kinds.js'

const { joinLua } = (await import(new URL('../../.ci/lua.mjs', import.meta.url).href)) as {
  joinLua(folder: string, protocol?: object): string
}
const protocol = { ...own, ...names }
const LUA = fileURLToPath(new URL('../../src/engines/redis/lua', import.meta.url))

/** Joins files given as name → lines. */
function joined(files: Readonly<Record<string, readonly string[]>>, of?: object): string {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-lua-'))
  try {
    for (const [name, lines] of Object.entries(files)) writeFileSync(join(folder, `${name}.lua`), lines.join('\n'))
    return joinLua(folder, of)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const shared = ['-- Counts.', '-- shares: count', 'local function count() return 1 end']

test('a file sees what another one shares, whatever their names are', () => {
  const text = joined({ b: shared, a: ['-- Uses.', 'local one = count()', 'return one'] })
  expect(text.indexOf('file: b.lua')).toBeLessThan(text.indexOf('file: a.lua'))
  expect(text).toContain('local count\ndo')
  expect(text).not.toContain('local function count')
})

test('a name that another file keeps to itself is refused', () => {
  const kept = ['-- Counts.', 'local function count() return 1 end']
  expect(() => joined({ b: kept, a: ['-- Uses.', 'local one = count()'] })).toThrow(
    'a.lua:2: b.lua does not share count',
  )
})

test('a name that nobody declares is refused, an assignment to it, too', () => {
  expect(() => joined({ a: ['-- Uses.', 'local one = cuont()'] })).toThrow('a.lua:2: cuont is not declared')
  expect(() => joined({ a: ['-- Uses.', 'total = 1'] })).toThrow('a.lua:2: total is not declared')
})

test('two files with a local of the same name are refused, shared or not', () => {
  const own = ['-- Counts on its own.', 'local function count() return 2 end']
  expect(() => joined({ b: shared, a: own, c: ['-- Uses.', 'local one = count()'] })).toThrow(
    'b.lua:3: count is a local of a.lua, too',
  )
})

test('what is shared must be declared and used', () => {
  expect(() => joined({ a: shared })).toThrow('a.lua:1: shares count, which no other file uses')
  expect(() => joined({ a: ['-- Counts.', '-- shares: sum'] })).toThrow(
    'a.lua:1: shares sum, which it does not declare',
  )
})

test('files that use each other are refused', () => {
  const a = ['-- A.', '-- shares: a', 'local function a() return b end']
  const b = ['-- B.', '-- shares: b', 'local function b() return a end']
  expect(() => joined({ a, b })).toThrow('these files use each other: a.lua → b.lua → a.lua')
})

test('the library has all files, each once', () => {
  const names = readdirSync(LUA).filter((name) => name.endsWith('.lua'))
  const text = joinLua(LUA, protocol)
  const joinedNames = [...text.matchAll(/^-- file: (\S+)$/gm)].map(([, name]) => name)
  expect(joinedNames.sort()).toEqual([...names, 'protocol.lua'].sort())
  expect(text.match(/^local function \w+/gm)?.length).toBeGreaterThan(50)
  expect(readFileSync(join(LUA, 'main.lua'), 'utf8')).toContain('register_function')
})

const SMALL = {
  OPERATIONS: { renew: { args: ['id', 'leaseMs'] }, writeAll: { args: ['entries'] } },
  REPLY: { done: 'k' },
  REPLY_VALUES: {},
  KEYS: { body: { name: 'body:', of: 'id' } },
}
const renew = [
  '-- Renews.',
  'function OPS.renew(id, leaseMs) return REPLY.done, ARGUMENTS, HAS_ENTRIES, VALUE_COUNTS end',
]
const others = [
  '-- Others.',
  '-- shares: OPS',
  'local OPS = {}',
  'function OPS.writeAll(from, last) return prefix, keys, useKeys, keysOf, bodyKey end',
]

test('names of the protocol are replaced by their values, also the codes of characters', () => {
  const text = joined({ a: [...renew, 'local code = REPLY_BYTES.done'], b: others }, SMALL)
  expect(text).toContain("return 'k', ARGUMENTS")
  expect(text).toContain('local code = 107')
})

test('a name that the protocol does not have is refused', () => {
  const wrong = { a: [...renew, 'local code = REPLY.doen'], b: others }
  expect(() => joined(wrong, SMALL)).toThrow('a.lua:3: protocol.ts has no REPLY.doen')
})

test('an operation has the parameters that the protocol names, and none is missing', () => {
  const swapped = ['-- Renews.', 'function OPS.renew(leaseMs, id) return ARGUMENTS, HAS_ENTRIES, VALUE_COUNTS end']
  expect(() => joined({ a: swapped, b: others }, SMALL)).toThrow(
    'a.lua:2: renew(leaseMs, id) is renew(id, leaseMs) in protocol.ts',
  )
  const unknown = ['-- Cancels.', 'function OPS.cancel(id) return ARGUMENTS, HAS_ENTRIES, VALUE_COUNTS end']
  expect(() => joined({ a: unknown, b: others }, SMALL)).toThrow('a.lua:2: protocol.ts has no operation cancel')
  const none = ['-- None.', 'local all = { OPS, ARGUMENTS, HAS_ENTRIES, VALUE_COUNTS }']
  expect(() => joined({ a: none, b: others }, SMALL)).toThrow('operations without a function: renew')
})

test('the fields of a record, and of the first line of a session entry, have no gap and no overlap', () => {
  const { RECORD, SESSION_RECORD } = protocol
  const { expiresAt, writtenAt, deaths, score, type, place, headSum, signature } = RECORD
  const { requester, maxDeliveries, requestSignature } = RECORD
  const adjacent = (...fields: readonly { readonly from: number; readonly to?: number }[]): void => {
    expect(fields.slice(1).map(({ from }) => from)).toEqual(fields.slice(0, -1).map(({ to }) => to! + 1))
  }
  adjacent({ from: 0, to: 0 }, expiresAt, writtenAt, deaths, score, type, place, headSum, signature)
  adjacent(headSum, requester, maxDeliveries, requestSignature)
  expect(requester.to - requester.from + 1).toBe(protocol.SHARED.presenceLength)
  const { expiresAt: ends, locked, leaseSum, size } = SESSION_RECORD
  adjacent({ from: 0, to: 0 }, ends, locked, leaseSum, size)
})

test('in a table of single characters each has one meaning', () => {
  const { REPLY, PUSH, OUTCOME, WAIT, TRANSITION, MARK, RECORD_TYPE, PLACE, TICKET_STATE, MODE } = protocol
  for (const table of [REPLY, PUSH, OUTCOME, WAIT, TRANSITION, MARK, RECORD_TYPE, PLACE, TICKET_STATE, MODE]) {
    expect(new Set(Object.values(table)).size).toBe(Object.values(table).length)
  }
})

test('the kinds of the protocol are those of the framework', () => {
  const { sessionLock: _, ...kinds } = protocol.KIND
  expect(kinds).toEqual({
    own: OWN_KINDS,
    any: ANY_KIND,
    request: REQUEST,
    task: TASK,
    deadLetter: DEAD_LETTER,
    control: CONTROL,
    ticket: TICKET,
    pending: PENDING,
    result: RESULT,
    completed: COMPLETED,
    cancelled: CANCELLED,
    lost: LOST,
    exhausted: EXHAUSTED,
    session: SESSION,
  })
})

/** The Lua files are joined only if each name has one owner, and each owner says what it shares. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

const { joinLua } = (await import(new URL('../../.ci/lua.mjs', import.meta.url).href)) as {
  joinLua(folder: string): string
}
const LUA = fileURLToPath(new URL('../../src/engines/redis/lua', import.meta.url))

/** Joins files given as name → lines. */
function joined(files: Readonly<Record<string, readonly string[]>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-lua-'))
  try {
    for (const [name, lines] of Object.entries(files)) writeFileSync(join(folder, `${name}.lua`), lines.join('\n'))
    return joinLua(folder)
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
  const text = joinLua(LUA)
  expect([...text.matchAll(/^-- file: (\S+)$/gm)].map(([, name]) => name).sort()).toEqual(names.sort())
  expect(text.match(/^local function \w+/gm)?.length).toBeGreaterThan(50)
  expect(readFileSync(join(LUA, 'main.lua'), 'utf8')).toContain('register_function')
})

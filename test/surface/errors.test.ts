/** docs/errors.md says what the code says: every code, in order, with its status, and nothing else. */
import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { refusalOf } from '../../gateway/refusals.js'
import { REACTIONS } from '../../src/engines/redis/wire/reactions.js'
import { ERRORS, SpaceError } from '../../src/errors.js'
import type { ErrorCode } from '../../src/index.js'

const text = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')

/** The cells of the n-th table of the page, its head left out. */
function table(n: number): string[][] {
  const tables = text('docs/errors.md').match(/(?:^\|.*\n)+/gm) ?? []
  const rows = (tables[n] ?? '').trimEnd().split('\n').slice(2)
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim()),
  )
}

test('the table of codes is that of src/errors.ts', () => {
  const documented = table(0).map(([code, status, retryable, message]) => [code, status, retryable, message])
  const real = Object.entries(ERRORS).map(([code, { status, retryable, message }]) => [
    `\`${code}\``,
    String(status),
    retryable ? 'yes' : 'no',
    message,
  ])
  expect(documented).toEqual(real)
})

test('for each code there is something to do', () => {
  for (const row of table(0)) {
    expect(row).toHaveLength(5)
    expect(row[4]).toMatch(/^\S.*\.$/)
  }
})

test('the table of error replies is that of the code', () => {
  const does = { again: 'sends it again on the same connection', relink: 'looks for the primary anew' }
  const real = Object.entries(REACTIONS).map(([word, { next, says }]) => [`\`${word}\``, does[next], says])
  expect(table(1)).toEqual(real)
})

test('the table of what a gateway says by itself is that of its code', () => {
  const documented = table(2).map(([code, status]) => `${code?.replaceAll('`', '')} ${status}`)
  // A code that is also an outcome of the space stands in the first table only, but for the three that a gateway can come to alone.
  const alone = ['BAD_RESPONSE', 'INTERNAL', 'OVERLOADED']
  const source = text('gateway/refusals.ts') + text('gateway/server.ts')
  const found = [...source.matchAll(/new Refusal\(\s*(\d{3}),\s*'([A-Z_]+)'/g)].map(([, status, code]) => [
    code,
    status,
  ])
  const bad = [...source.matchAll(/= bad\(\s*'([A-Z_]+)'/g)].map(([, code]) => [code, '400'])
  const real = [...found, ...bad].filter(([code]) => !(code! in ERRORS) || alone.includes(code!))
  expect(real.length).toBeGreaterThan(10)
  expect([...documented].sort()).toEqual(real.map((pair) => pair.join(' ')).sort())
})

test('a gateway answers with the status of the table', () => {
  const outcomes = (text('docs/errors.md').match(/may hear of it: ([^.]+)\./)?.[1] ?? '').match(/[A-Z_]{2,}/g) ?? []
  expect(outcomes).toHaveLength(10)
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { code: told, status } = refusalOf(new SpaceError(code))
    if ((outcomes as string[]).includes(code)) expect([told, status]).toEqual([code, ERRORS[code].status])
    else expect([told, status]).toEqual(['INTERNAL', 500])
  }
})

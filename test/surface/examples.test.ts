/** The programs of examples/ run, and print what their last comment says. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'

const folder = fileURLToPath(new URL('../../examples', import.meta.url))
const text = (file: string): string => readFileSync(join(folder, file), 'utf8')
/** These have tests of their own: readme.test.ts, whole/cli-tasks.test.ts, faults/attempts.test.ts. */
const ELSEWHERE = ['space.js', 'tasks.js', 'bull-board.js']
const examples = readdirSync(folder).filter((file) => file.endsWith('.js') && !ELSEWHERE.includes(file))

test('there are a dozen, and each fits on a screen', () => {
  expect(examples.length).toBeGreaterThanOrEqual(12)
  expect(examples.filter((file) => text(file).split('\n').length > 46)).toEqual([])
})

test.each(examples)('examples/%s prints what it says', async (file) => {
  const [, expected] = /\n\/\* Output:\n([\s\S]*)\*\/\n$/.exec(text(file)) ?? []
  const ran = startProcess([join(folder, file)])
  const { code } = await ran.exited
  expect([code, ran.output()]).toEqual([0, expected])
})

failOnLeaks()

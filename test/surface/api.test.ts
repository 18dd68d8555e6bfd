/** The public API is that of the reports in api/: no name and no type changes unseen. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from '@jest/globals'

interface Report {
  readonly file: string
  readonly text: string
  /** The built module. */
  readonly entry: string
  readonly values: readonly string[]
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const script = new URL('../../.ci/api.mjs', import.meta.url).href
const reports: readonly Report[] = (await import(script)).reports()
const text = (file: string): string => readFileSync(join(root, file), 'utf8')

test('the package has these entry points and one program', () => {
  const { exports, bin } = JSON.parse(text('package.json'))
  expect(Object.keys(exports)).toEqual(['.', './gateway', './workers', './session', './dashboard', './package.json'])
  expect(Object.keys(bin)).toEqual(['takespace'])
  expect(readdirSync(join(root, 'api')).map((file) => `api/${file}`)).toEqual(reports.map(({ file }) => file).sort())
})

test.each(reports.map((report) => [report.file, report] as const))('%s is up to date', (file, report) => {
  if (report.text !== text(file))
    console.error('The public API changed: run `npm run api` and review the diff of api/.')
  expect(report.text).toBe(text(file))
})

test.each(reports.map((report) => [report.file, report] as const))(
  'what %s declares is there',
  async (_file, { entry, values }) => {
    expect(Object.keys(await import(pathToFileURL(entry).href)).sort()).toEqual(values)
  },
)

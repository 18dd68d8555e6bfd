/** `takespace dev` follows its files: TypeScript, ES modules and CommonJS, changed under load, broken and mended. */
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { end, startDev } from '../support/dev.js'
import { failOnLeaks } from '../support/leaks.js'
import { startLoad } from '../support/load.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'

const { folder, write } = scratch('reload')

const says = async (url: string, text: string): Promise<void> =>
  until(async () => (await (await fetch(url)).text()) === text, `the app says ${text}`)

/** An app file, a module that it imports twice by different ways, and what it answers: version, and whether both are one. */
const PROGRAMS: [string, string, Record<string, string>][] = [
  [
    'TypeScript',
    'ts/app.ts',
    {
      'ts/app.ts': `
        import type { IncomingMessage, ServerResponse } from 'node:http'
        import { state } from './deep/state'
        import { same } from './other.ts'
        enum Code { Fine = 200 }
        export default (req: IncomingMessage, res: ServerResponse): void => {
          res.statusCode = Code.Fine
          res.end(state.version + ' ' + same(state))
        }`,
      'ts/other.ts':
        "import { state } from './deep/state.ts'\nexport const same = (other: unknown): boolean => other === state",
      'ts/deep/state.ts': "export const state: { version: string } = { version: 'VERSION' }",
    },
  ],
  [
    'ES modules',
    'esm/app.mjs',
    {
      'esm/app.mjs':
        "import { state } from './deep/state.mjs'; import { same } from './other.mjs'\nexport const app = (req, res) => res.end(state.version + ' ' + same(state))",
      'esm/other.mjs': "import { state } from './deep/state.mjs'\nexport const same = (other) => other === state",
      'esm/deep/state.mjs': "export const state = { version: 'VERSION' }",
    },
  ],
  [
    'CommonJS',
    'cjs/app.cjs',
    {
      'cjs/app.cjs':
        "const { state } = require('./deep/state.cjs'); const { same } = require('./other.cjs')\nmodule.exports = (req, res) => res.end(state.version + ' ' + same(state))",
      'cjs/other.cjs': "const { state } = require('./deep/state.cjs')\nexports.same = (other) => other === state",
      'cjs/deep/state.cjs': "exports.state = { version: 'VERSION' }",
    },
  ],
  [
    'an ES module that imports CommonJS',
    'mixed/app.mjs',
    {
      'mixed/app.mjs':
        "import state from './deep/state.cjs'; import { same } from './other.mjs'\nexport default (req, res) => res.end(state.version + ' ' + same(state))",
      'mixed/other.mjs': "import state from './deep/state.cjs'\nexport const same = (other) => other === state",
      'mixed/deep/state.cjs': "module.exports = { version: 'VERSION' }",
    },
  ],
]

test.each(PROGRAMS)('a change of what the app imports is followed: %s', async (_what, app, files) => {
  for (const [name, text] of Object.entries(files)) write(name, text)
  const [state, text] = Object.entries(files).find(([name]) => name.includes('state')) as [string, string]
  const [dev, url] = await startDev(join(folder, app))
  await says(url, 'VERSION true')
  for (const version of ['second', 'third']) {
    write(state, text.replace('VERSION', version))
    await says(url, `${version} true`)
  }
  await end(dev)
})

test('TypeScript compiled to CommonJS by hand: the default in the default is the app', async () => {
  const app = write(
    'twice/app.cts',
    "exports.__esModule = true; exports.default = (req: unknown, res: any) => res.end('twice')",
  )
  const [dev, url] = await startDev(app)
  await says(url, 'twice')
  await end(dev)
})

test('a file that fails keeps the old code, and says why and where', async () => {
  const fine = (text: string): string => `export default (req, res) => res.end('${text}')`
  const app = write('broken/app.mjs', fine('old'))
  const [dev, url] = await startDev(app)
  const failures: [string, RegExp][] = [
    [
      'export default (',
      /was not reloaded, the old code goes on: .*failed while it was loaded.*Unexpected.*\n {4}at .*app\.mjs:1/,
    ],
    ["throw new Error('no luck')", /was not reloaded.*no luck\n {4}at .*app\.mjs:1:7\n/],
    ['export const other = 1', /was not reloaded.*Add the line: export default app/],
    ['export default 42', /was not reloaded.*not an app takespace can run/],
  ]
  for (const [text, reason] of failures) {
    write('broken/app.mjs', text)
    await dev.line(reason)
    await says(url, 'old')
  }
  write('broken/app.mjs', fine('mended'))
  await says(url, 'mended')
  // Frames of Node and of takespace say nothing about the app.
  expect(dev.output()).not.toMatch(/node:internal|dist\/src/)
  await end(dev)
})

test('changed under 100 requests a second: none fails, and the new code answers', async () => {
  const code = (version: number): string => `
    export default async (req, res) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      res.end('version ${version}')
    }`
  const app = write('load/app.mjs', code(1))
  const [dev, url] = await startDev(app)
  const load = startLoad(url, { perSecond: 100, method: 'POST', path: (n) => `/${n}` })
  await until(() => load.answers.length >= 50, 'the load is under way')
  for (const version of [2, 3, 4]) {
    write('load/app.mjs', code(version))
    await until(() => load.answers.at(-1)?.text === `version ${version}`, 'the new code answers')
    const before = load.answers.length
    await until(() => load.answers.length >= before + 30, 'the load goes on')
  }
  const answers = await load.stop()
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(new Set(answers.map(({ text }) => text)).size).toBe(4)
  await end(dev)
})

failOnLeaks()

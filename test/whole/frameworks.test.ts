/** docs/frameworks.md is true: its examples are served as they are, and the apps that it names are those of `npm run test:apps`. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from '@jest/globals'
import { apps } from '../apps/apps.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/frameworks.md'), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'takespace-frameworks-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Packages by the name that the example imports, where that is not the name here. */
const PACKAGES: Record<string, Record<string, string>> = { express4: { express: 'express4' } }

test('its examples are served without a change', async () => {
  const examples = [...page.matchAll(/^```js (\S+)\n([\s\S]*?)^```/gm)].map(([, name, text]) => {
    const file = join(folder, name!)
    const modules = join(dirname(file), 'node_modules')
    mkdirSync(modules, { recursive: true })
    writeFileSync(file, text!)
    const own = PACKAGES[dirname(name!)] ?? {}
    for (const each of ['express', 'fastify', 'koa', 'hono', 'ws']) {
      symlinkSync(join(root, 'node_modules', own[each] ?? each), join(modules, each), 'junction')
    }
    return [dirname(name!), file]
  })
  writeFileSync(join(folder, 'files.json'), JSON.stringify(examples))
  const child = fileURLToPath(new URL('./children/serve-each.js', import.meta.url))
  const serving = startProcess([child, join(folder, 'files.json'), join(folder, 'results.json')])
  expect(await serving.exited).toEqual({ code: 0, signal: null })
  expect(JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8'))).toEqual({
    express5: ['hello from Express 5'],
    express4: ['hello from Express 4'],
    fastify: ['hello from Fastify'],
    koa: ['hello from Koa'],
    hono: ['hello from Hono'],
    ws: ['hello from ws', 'heard a word'],
  })
})

test('its table names each app of `npm run test:apps`', () => {
  const named = [...page.matchAll(/^\| .*?\/test\/apps\/projects\/([^/]+)\//gm)].map(([, name]) => name)
  const tested = new Set(apps.map(({ project }) => project))
  expect(named.sort()).toEqual([...tested].filter((project) => project !== 'express').sort())
})

failOnLeaks()

/** docs/testing.md is true: what it shows for each test runner runs, in a project that has takespace installed and no Redis. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { testInLongForm } from '../faults/long-form.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/testing.md'), 'utf8')
const project = mkdtempSync(join(tmpdir(), 'takespace-testing-'))

/** A code block of the page, by the file name behind its language. */
function block(name: string): string {
  const found = new RegExp(`^\`\`\`js ${name.replaceAll('.', '\\.')}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(page)
  if (!found) throw new Error(`docs/testing.md has no block \`\`\`js ${name}`)
  return found[1] as string
}

/** What a test runner finds by itself. */
const FILES: Record<string, string> = {
  'node/orders.test.js': block('orders.node.js'),
  'node/gateway.test.js': block('gateway.node.js'),
  'node/later.test.js': block('later.node.js'),
  'vitest/orders.test.js': block('orders.vitest.js'),
  'vitest/later.test.js': block('later.vitest.js'),
  'jest/orders.test.js': block('orders.jest.js'),
  'jest/later.test.js': block('later.jest.js'),
  'jest-cjs/orders.test.js': block('orders.jest.cjs'),
}

beforeAll(() => {
  // Installed as npm does it, a copy of what is published: a linked folder is treated differently by runners that transform.
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const modules = join(project, 'node_modules')
  mkdirSync(join(modules, 'takespace'), { recursive: true })
  for (const part of ['dist', 'package.json']) {
    cpSync(join(root, part), join(modules, 'takespace', part), { recursive: true })
  }
  for (const name of [...Object.keys(dependencies), 'express', 'jest', '@jest/globals', 'vitest']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction')
  }
  for (const [file, text] of Object.entries(FILES)) {
    const folder = dirname(join(project, file))
    mkdirSync(folder, { recursive: true })
    const commonJs = file.startsWith('jest-cjs')
    writeFileSync(join(folder, 'package.json'), commonJs ? '{}' : '{ "type": "module" }')
    writeFileSync(join(folder, 'app.js'), commonJs ? asCommonJs(block('app.js')) : block('app.js'))
    writeFileSync(join(project, file), text)
  }
  writeFileSync(join(project, 'node', 'orders.test.cjs'), asCommonJs(block('orders.node.js')))
})
afterAll(() => rmSync(project, { recursive: true, force: true, maxRetries: 3 }))

/** The same in CommonJS; without top-level await, which it has not. */
function asCommonJs(text: string): string {
  return text
    .replace(/^import (.+) from ('.+')$/gm, (_, names: string, from: string) => `const ${names} = require(${from})`)
    .replace("require('./app.js')", "require('./app.js').default")
    .replace('export default app', 'module.exports = app')
    .replace(/^const space = await (.+)\nconst client = (.+)$/m, 'let space, client')
    .replace(
      /^before\(.*$/m,
      "before(async () => {\n  space = await openSpace('memory:')\n  client = createClient({ space })\n  await createWorker({ space, app }).start()\n})",
    )
}

/** No Redis is where it would look, should it look. */
const env = { TAKESPACE_URL: 'redis://127.0.0.1:1', NO_COLOR: '1' }
const run = async (folder: string, ...args: string[]): Promise<string> => {
  const runner = startProcess([process.execPath, ...args], { cwd: join(project, folder), env })
  const exit = await runner.exited
  if (exit.code !== 0) throw new Error(`ended with ${exit.code ?? exit.signal}:\n${runner.output()}`)
  return runner.output()
}

const JEST = ['--experimental-vm-modules', '../node_modules/jest/bin/jest.js', '--rootDir=.']

test('node:test, as ES modules and as CommonJS, with client.fetch and with a gateway', async () => {
  expect(await run('node', '--test', '--test-reporter=tap')).toMatch(/^# pass 6$/m)
})

test('Vitest', async () => {
  expect(await run('vitest', '../node_modules/vitest/vitest.mjs', 'run', '--root=.')).toMatch(/Tests\s+2 passed/)
})

test('Jest, as ES modules', async () => {
  expect(await run('jest', ...JEST)).toMatch(/Tests:\s+2 passed/)
})

testInLongForm('Jest, as CommonJS, by await import', async () => {
  expect(await run('jest-cjs', ...JEST)).toMatch(/Tests:\s+1 passed/)
})

failOnLeaks()

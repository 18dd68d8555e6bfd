/** npm create takespace: what is asked for is written, its tests pass, and nothing of the user's is overwritten. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { transformSync } from '@swc/core'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { create, emptyFolder, FRAMEWORKS, LANGUAGES, linkPackages, removeFolder, runScript } from './new-project.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TEMPLATES = join(ROOT, 'create-takespace', 'templates')
const read = (...path: string[]): string => readFileSync(join(...path), 'utf8')

let folder: string
beforeAll(() => {
  folder = emptyFolder()
})
afterAll(() => removeFolder(folder))

test.each(FRAMEWORKS.flatMap((framework) => LANGUAGES.map((language) => [framework, language] as const)))(
  'a project with %s in %s has all its files, in one language, with its name in them',
  async (framework, language) => {
    const name = `${framework}-${language}`
    const created = create(folder, name, '--framework', framework, '--language', language)
    expect(await created.exited).toEqual({ code: 0, signal: null })
    expect(created.output()).toContain(`cd ${name}`)
    const files = readdirSync(join(folder, name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
    const other = language === 'ts' ? '.js' : '.ts'
    expect(files.filter((file) => file.endsWith(other))).toEqual([])
    expect(files.filter((file) => read(file).includes('{{'))).toEqual([])
    const { scripts, ...manifest } = JSON.parse(read(folder, name, 'package.json'))
    expect(manifest.name).toBe(name)
    for (const command of Object.values<string>(scripts)) {
      for (const [file] of command.matchAll(/\b(?:src|test)\/\S+/g)) {
        expect([file, existsSync(join(folder, name, file))]).toEqual([file, true])
      }
    }
  },
)

test.each(['express', 'fastify', 'hono'])('the tests of a project with %s pass', async (framework) => {
  const project = join(folder, `tested-${framework}`)
  await create(folder, project, '--framework', framework, '--language', 'js').exited
  linkPackages(project, [framework])
  const ran = runScript(project, 'test')
  const exit = await ran.exited
  expect([exit.code, ran.output()]).toEqual([0, expect.stringMatching(/pass 2\b/)])
})

test('takespace dev serves a project in TypeScript, with its task', async () => {
  const project = join(folder, 'served')
  await create(folder, project, '--framework', 'express', '--language', 'ts').exited
  linkPackages(project, ['express', '@swc/core', '@types/node', '@types/express'])
  const { scripts } = JSON.parse(read(project, 'package.json'))
  const served = startProcess([...scripts.dev.split(' '), '--port', '0', '--no-reload'], { cwd: project })
  const [, url] = await served.line(/(http:\/\/127\.0\.0\.1:\d+)/)
  expect(await (await fetch(`${url}/`)).json()).toMatchObject({ hello: 'served' })
  const posted = await fetch(`${url}/greetings?name=Ada`, { method: 'POST' })
  expect(posted.status).toBe(202)
  const { ticket } = (await posted.json()) as { ticket: string }
  expect(await (await fetch(`${url}/greetings/${ticket}`)).json()).toMatchObject({ state: expect.any(String) })
  const compiler = startProcess([process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '--noEmit'], {
    cwd: project,
  })
  expect([(await compiler.exited).code, compiler.output()]).toEqual([0, ''])
  served.kill()
  await served.exited
})

test('the programs in JavaScript are those in TypeScript without types', () => {
  const bare = (text: string): string =>
    transformSync(text, { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }).code.replace(/\s+/g, ' ')
  const typed = readdirSync(TEMPLATES, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    // Decorators are called there.
    .filter((file) => !/nest.*\.(module|controller)\.ts$/.test(file))
  expect(typed.length).toBeGreaterThan(6)
  for (const file of typed) {
    expect(bare(read(TEMPLATES, file.replace(/\.ts$/, '.js')))).toBe(bare(read(TEMPLATES, file)))
  }
})

test.each([
  ['a folder with files', ['.'], 'is not empty'],
  [
    'a framework that is unknown',
    ['x', '--framework', 'rails'],
    '--framework is express, fastify, hono, nest; got "rails"',
  ],
  ['a flag that is unknown', ['x', '--colour'], "Unknown option '--colour'"],
  ['two folders', ['x', 'y'], 'One folder is created at a time'],
  ['a name without a letter', ['...'], 'has no letter'],
])('%s is refused, and nothing is written', async (_what, args, words) => {
  const own = emptyFolder()
  writeFileSync(join(own, 'notes.txt'), 'mine')
  const refused = create(own, ...args)
  expect((await refused.exited).code).toBe(1)
  expect(refused.output()).toContain(words)
  expect(readdirSync(own)).toEqual(['notes.txt'])
  removeFolder(own)
})

test('the package has the version of takespace, and the versions of packages that are tested here', async () => {
  const own = JSON.parse(read(ROOT, 'package.json'))
  expect(JSON.parse(read(ROOT, 'create-takespace', 'package.json')).version).toBe(own.version)
  const project = join(folder, 'versions')
  for (const framework of FRAMEWORKS) {
    await create(folder, `${project}-${framework}`, '--framework', framework).exited
    const { dependencies } = JSON.parse(read(`${project}-${framework}`, 'package.json'))
    expect(dependencies.takespace).toBe(`^${own.version}`)
    const known = { ...own.optionalDependencies, ...own.devDependencies }
    for (const [name, version] of Object.entries(dependencies)) if (name in known) expect(version).toBe(known[name])
  }
})

failOnLeaks()

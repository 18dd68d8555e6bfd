/** The package as it is published: it can be installed, imported, required and type-checked, and its pages have no dangling links. */
import { readFileSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { complaints, createProject, NODE16, type Project, ROOT, TYPED } from '../consumer/project.js'
import { testInLongForm } from '../faults/long-form.js'
import { failOnLeaks } from '../support/leaks.js'

let project: Project
beforeAll(() => {
  project = createProject(TYPED)
})
afterAll(() => project.remove())

const NAMES = `Object.keys(space).includes('openSpace') && !!gateway.createGateway && !!workers.createWorker && !!session.session`

test('its entry points can be imported, and required from CommonJS, and are the same modules', async () => {
  const program = `
    const { createRequire } = process.getBuiltinModule('node:module')
    const require = createRequire(process.cwd() + '/x.js')
    const names = ['takespace', 'takespace/gateway', 'takespace/workers', 'takespace/session']
    const [space, gateway, workers, session] = await Promise.all(names.map((name) => import(name)))
    console.log(${NAMES}, names.every((name, i) => require(name) === [space, gateway, workers, session][i]))`
  const ran = project.run([process.execPath, '--input-type=module', '--eval', program])
  expect(await ran.exited).toEqual({ code: 0, signal: null })
  expect(ran.output().trim()).toBe('true true')
})

test('its command runs', async () => {
  const ran = project.run([process.execPath, 'node_modules/takespace/dist/src/cli/main.js', '--help'])
  expect(await ran.exited).toEqual({ code: 0, signal: null })
  expect(ran.output()).toContain('Usage: takespace')
})

const bin = (name: string) => join(ROOT, 'node_modules', '.bin', name)

test('publint finds nothing to complain of', async () => {
  const linted = project.run([bin('publint'), '--strict', project.tarball])
  expect([await linted.exited, linted.output()]).toEqual([
    { code: 0, signal: null },
    expect.stringContaining('All good'),
  ])
})

testInLongForm('arethetypeswrong finds nothing to complain of', async () => {
  const judged = project.run([bin('attw'), '--no-emoji', '--no-color', project.tarball])
  expect([await judged.exited, judged.output()]).toEqual([
    { code: 0, signal: null },
    expect.stringContaining('No problems'),
  ])
})

test('without its optional packages it serves JavaScript, and says what TypeScript needs', async () => {
  writeFileSync(join(project.folder, 'app.mjs'), 'export default (req, res) => res.end()')
  writeFileSync(join(project.folder, 'app.ts'), 'export default (req: any, res: any) => res.end()')
  const command = [process.execPath, 'node_modules/takespace/dist/src/cli/main.js', 'dev', '--port', '0', '--no-reload']
  const served = project.run([...command, 'app.mjs'])
  await served.line(/takespace serves app\.mjs/)
  served.kill()
  await served.exited
  const refused = project.run([...command, 'app.ts'])
  expect(await refused.exited).toEqual({ code: 1, signal: null })
  expect(refused.output()).toContain('@swc/core, which is not installed. Run: npm install @swc/core')
})

test('every relative link of its pages leads to a file of the package', () => {
  const pages = project.files.filter((file) => file.endsWith('.md'))
  expect(pages).toContain('docs/ARCHITECTURE.md')
  const links = pages.flatMap((page) =>
    [...project.read(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
      .map(([, link]) => link!)
      .filter((link) => !/^https?:/.test(link))
      .map((link) => ({ page, link, target: posix.join(posix.dirname(page), link).replace(/\/$/, '') })),
  )
  const isThere = (target: string): boolean =>
    project.files.some((file) => file === target || file.startsWith(`${target}/`))
  expect(links.filter(({ target }) => !isThere(target))).toEqual([])
})

test('no file of it names a source map that is not there, or a map of sources that are not there', () => {
  const scripts = project.files.filter((file) => /\.[cm]?js$/.test(file))
  expect(scripts.length).toBeGreaterThan(100)
  const maps = scripts.flatMap((file) => /^\/\/# sourceMappingURL=(.*)$/m.exec(project.read(file))?.[1] ?? [])
  expect([maps, project.files.filter((file) => file.endsWith('.map'))]).toEqual([[], []])
})

test('it imports nothing at run time but its dependencies and optional peers', () => {
  const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(project.read('package.json'))
  const scripts = project.files.filter((file) => /^dist\/.*\.[cm]?js$/.test(file))
  const imports = scripts.flatMap((file) => {
    // Comments of joined packages have examples.
    const code = project.read(file).replace(/^\s*(?:\/?\*|\/\/).*$/gm, '')
    return [
      ...code.matchAll(/(?:^(?:import|export)\b.*\bfrom |^import |\bimport\(|\brequire\()(["'])([^"'\n]+)\1/gm),
    ].map(([, , name]) => /^(?:@[^/]+\/)?[^/]*/.exec(name!)![0])
  })
  expect(imports).toContain('pino')
  const known = { ...dependencies, ...optionalDependencies, ...peerDependencies }
  const isKnown = (name: string): boolean => name in known || name.startsWith('.') || isBuiltin(name)
  expect([...new Set(imports)].filter((name) => !isKnown(name))).toEqual([])
})

test('Node keeps the text of its modules in one byte a character: none is beyond Latin-1', () => {
  const scripts = project.files.filter((file) => /^dist\/.*\.[cm]?js$/.test(file))
  expect(scripts.filter((file) => /[\u0100-\uffff]/.test(project.read(file)))).toEqual([])
})

test('the licences of the packages whose code is joined into it come with it', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const notices = project.read('dist/NOTICES')
  for (const name of ['hono', 'prom-client', 'tdigest', 'ioredis', 'commander']) {
    expect(notices).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'))
    expect(name in dependencies || name in devDependencies || name === 'tdigest').toBe(true)
  }
  expect(notices.match(/Permission is hereby granted|Apache License/g)!.length).toBeGreaterThan(10)
})

/** `npm run test:types` has other compilers, and every way to resolve the package. */
test('its types hold for ES modules and CommonJS under module node16, with the strictest options', async () => {
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  expect(await complaints(project, compiler, NODE16)).toBe('')
})

test('its declarations use no generic typed arrays, which TypeScript 5.6 and older do not have', () => {
  const files = project.files.filter((file) => /\.d\.[cm]?ts$/.test(file))
  expect(files.length).toBeGreaterThan(100)
  expect(files.filter((file) => /\b(?:\w+Array|Buffer)<ArrayBuffer/.test(project.read(file)))).toEqual([])
})

failOnLeaks()

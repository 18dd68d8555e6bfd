/** App files as their authors write them: TypeScript, JSX and CommonJS, loaded one after the other by one process as `takespace dev` loads them. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'

/** Each file but `main.*` is what that imports; `main.*` throws unless all is as expected, and exports what follows. */
type Files = Readonly<Record<string, string>>

const MODULE = '{"type":"module"}'
const COMMONJS = '{"type":"commonjs"}'
const NO_TYPE = '{}'
const APP = 'export default (_req: unknown, res: { end(text: string): void }) => res.end()'
const JS_APP = 'export default (_req, res) => res.end()'

const BOTH_IMPORT = {
  'other.ts': `import express from 'express'\nexport const other = express`,
  'main.ts': `
    import express, { Router } from 'express'
    import * as all from 'express'
    import { other } from './other.js'
    if (typeof express !== 'function' || other !== express) throw new Error('default: ' + typeof express)
    if (typeof Router !== 'function' || all.Router !== Router) throw new Error('named, namespace')
    ${APP}`,
}
const METADATA = '"experimentalDecorators": true, "emitDecoratorMetadata": true'
/** Does what reflect-metadata does with the transpiler's output. */
const REFLECT = `
  export const seen = new Map<string, unknown[]>()
  Object.assign(Reflect, { metadata: (key: string, value: unknown) => () => void seen.set(key, [...(seen.get(key) ?? []), value]) })`

const PROJECTS: Readonly<Record<string, Files>> = {
  'two files import a CommonJS package, in a project of ES modules': { 'package.json': MODULE, ...BOTH_IMPORT },
  'two files import a CommonJS package, in a project of CommonJS': { 'package.json': COMMONJS, ...BOTH_IMPORT },
  'two files import a CommonJS package, in a project without a type': { 'package.json': NO_TYPE, ...BOTH_IMPORT },
  'a package that JavaScript has required before': {
    'package.json': MODULE,
    'first.cjs': `require('connect')`,
    'main.ts': `import './first.cjs'\nimport connect from 'connect'\nif (typeof connect !== 'function') throw new Error('connect')\n${APP}`,
  },
  'import = and require beside import': {
    'package.json': COMMONJS,
    'other.ts': BOTH_IMPORT['other.ts'],
    'main.ts': `
      import express = require('express')
      import { other } from './other'
      if (other !== express || require('express') !== express) throw new Error('not one')
      export = (_req: unknown, res: { end(): void }) => res.end()`,
  },
  'import = in an ES module': {
    'package.json': MODULE,
    'main.ts': `import express = require('express')\nif (typeof express !== 'function') throw new Error('express')\n${APP}`,
  },
  'a namespace that is called, as without esModuleInterop': {
    'package.json': COMMONJS,
    'main.ts': `import * as express from 'express'\nconst app = (express as unknown as () => object)()\nexport { app }`,
  },
  'a package of ES modules from CommonJS': {
    'package.json': COMMONJS,
    'main.ts': `import { v7 } from 'uuid'\nif (v7().length !== 36) throw new Error('v7')\n${APP}`,
  },
  'a module of CommonJS that exports all of another': {
    'package.json': MODULE,
    'a.cts': `export * from './b.cjs'\nexport const a = 1`,
    'b.cts': `export const b = 2\nexport const c = 3`,
    'main.ts': `import { a, b, c } from './a.cjs'\nif (a + b + c !== 6) throw new Error('sum')\n${APP}`,
  },
  '.mts with top-level await': {
    'package.json': COMMONJS,
    'main.mts': `const n: number = await Promise.resolve(1)\nif (n !== 1 || !import.meta.url) throw new Error('n')\n${APP}`,
  },
  '.cts in a project of ES modules': {
    'package.json': MODULE,
    'main.cts': `const n: number = 1\nif (!__filename) throw new Error('n')\nmodule.exports = (_req: unknown, res: { end(): void }) => res.end(n)`,
  },
  'top-level await in a project without a type': {
    'package.json': NO_TYPE,
    'main.ts': `await Promise.resolve()\n${APP}`,
  },
  '__dirname in CommonJS, and in an ES module that was CommonJS': {
    'package.json': MODULE,
    'old.cts': `export const here = __dirname`,
    'main.ts': `import { here } from './old.cjs'\nif (here !== __dirname) throw new Error(here)\n${APP}`,
  },
  'enums, namespaces, parameter properties, types imported as values': {
    'package.json': MODULE,
    'other.ts': `export interface Shape { n: number }\nexport const one = 1`,
    'main.ts': `
      import { Shape, one } from './other.js'
      import type { Nothing } from './nowhere.js'
      enum Code { Fine, Wrong } const enum Inline { Seven = 7 } namespace Space { export const n = 3 }
      class Box { constructor(readonly n: number) {} }
      const shape: Shape = { n: one }
      if (Code.Wrong !== shape.n || Inline.Seven + Space.n + new Box(4).n !== 14) throw new Error('syntax')
      ${APP}`,
  },
  'imports without an ending, of a folder, of JSON': {
    'package.json': MODULE,
    'lib/index.ts': `export const lib = 'lib'`,
    'plain.ts': `export const plain = 'plain'`,
    'data.json': '{"n":1}',
    'main.ts': `
      import data from './data.json'
      import { lib } from './lib'
      import { plain } from './plain'
      if (data.n !== 1 || lib + plain !== 'libplain') throw new Error('found others')
      ${APP}`,
  },
  'one instance by whatever name it is imported': {
    'package.json': MODULE,
    'state.ts': 'export const state = {}',
    'late.ts': `export const late = () => import('./state')`,
    'main.ts': `import { state } from './state.js'\nimport { late } from './late'\nif ((await late()).state !== state) throw new Error('two')\n${APP}`,
  },
  'paths of an extended tsconfig with comments': {
    'package.json': MODULE,
    'base.json':
      '{ /* shared */ "compilerOptions": { "baseUrl": ".", "paths": { "@lib/*": ["src/lib/*"], "~": ["src/root.ts"] } } }',
    'tsconfig.json': '{ "extends": "./base.json", }',
    'src/lib/text.ts': `export const text = 'text'`,
    'src/root.ts': `export const root = 'root'`,
    'main.ts': `import { text } from '@lib/text.js'\nimport { root } from '~'\nif (text + root !== 'textroot') throw new Error('paths')\n${APP}`,
  },
  'paths of a project that the tsconfig refers to, as in the templates of Vite': {
    'package.json': MODULE,
    'tsconfig.json': '{"files":[],"references":[{"path":"./tsconfig.node.json"},{"path":"./server"}]}',
    'tsconfig.node.json': '{"include":["vite.config.ts"]}',
    'server/tsconfig.json': '{"compilerOptions":{"paths":{"@/*":["./*"]}},"include":[".","../main.ts"]}',
    'server/text.ts': `export const text = 'text'`,
    'main.ts': `import { text } from '@/text'\nif (text !== 'text') throw new Error('paths')\n${APP}`,
  },
  'paths that name declarations': {
    'package.json': MODULE,
    'tsconfig.json': '{"compilerOptions":{"paths":{"connect":["./connect.d.ts"]}}}',
    'connect.d.ts': 'export default function connect(): object',
    'main.ts': `import connect from 'connect'\nif (typeof connect !== 'function') throw new Error('connect')\n${APP}`,
  },
  'JSX with its import source in tsconfig': {
    'package.json': MODULE,
    'tsconfig.json': '{"compilerOptions":{"jsx":"react-jsx","jsxImportSource":"hono/jsx"}}',
    'main.tsx': `import { Hono } from 'hono'\nconst Bold = (props: { text: string }) => <b>{props.text}</b>\nconst app = new Hono()\napp.get('/', (c) => c.html(<Bold text="x" />))\nif ((await (await app.request('/')).text()) !== '<b>x</b>') throw new Error('jsx')\nexport default app`,
  },
  'JSX with both pragmas, as in the documentation of Hono': {
    'package.json': MODULE,
    'main.tsx': `/** @jsx jsx */\n/** @jsxImportSource hono/jsx */\nconst b = <b>x</b>\nif (String(b) !== '<b>x</b>') throw new Error(String(b))\n${APP}`,
  },
  'JSX with a factory of its own, in JavaScript': {
    'package.json': MODULE,
    'main.jsx': `/** @jsx h */\nconst h = (name, _props, ...children) => name + children\nif (<b>x</b> !== 'bx') throw new Error('jsx')\n${JS_APP}`,
  },
  'metadata of decorators': {
    'package.json': MODULE,
    'tsconfig.json': `{"compilerOptions":{${METADATA}}}`,
    'reflect.ts': REFLECT,
    'main.ts': `
      import { seen } from './reflect.js'
      const Injectable: ClassDecorator = () => {}
      class Store {}
      @Injectable class Service { constructor(readonly store: Store) {} }
      const [[parameter]] = seen.get('design:paramtypes') as [[unknown]]
      if (parameter !== Store) throw new Error('no metadata')
      ${APP}`,
  },
  'metadata of classes that import each other': {
    'package.json': COMMONJS,
    'tsconfig.json': `{"compilerOptions":{${METADATA}}}`,
    'reflect.ts': REFLECT,
    'a.ts': `import './reflect'\nimport { B } from './b'\nconst Column: PropertyDecorator = () => {}\nexport class A { @Column b!: B }`,
    'b.ts': `import { A } from './a'\nconst Column: PropertyDecorator = () => {}\nexport class B { @Column a!: A }`,
    'main.ts': `import { A } from './a'\nimport { B } from './b'\nif (!A || !B) throw new Error('one is missing')\n${APP}`,
  },
  'decorators of the standard': {
    'package.json': MODULE,
    'main.ts': `const twice = (f: () => number) => () => 2 * f()\nclass One { @twice n() { return 1 } }\nif (new One().n() !== 2) throw new Error('n')\n${APP}`,
  },
  'fields that only declare, with a target that assigns them': {
    'package.json': MODULE,
    'tsconfig.json': '{"compilerOptions":{"target":"es2020"}}',
    'main.ts': `class Base { n = 1 } class Model extends Base { declare x: number; n: number }\nif (new Model().n !== 1) throw new Error('shadowed')\n${APP}`,
  },
  'JavaScript that imports TypeScript': {
    'package.json': MODULE,
    'tsconfig.json': '{}',
    'other.ts': `export const n: number = 1`,
    'main.js': `import { n } from './other.ts'\nif (n !== 1) throw new Error('n')\n${JS_APP}`,
  },
  'a server that listens after dynamic imports': {
    'package.json': MODULE,
    'empty.mjs': '',
    'main.cts': `
      async function main() {
        await import('./empty.mjs')
        const { default: Koa } = await import('koa')
        new Koa().listen({ port: 20_999 })
      }
      main()`,
  },
  'a Fastify app that listens later, on each address of localhost': {
    'main.mjs': `import Fastify from 'fastify'\nconst app = Fastify()\nsetTimeout(() => app.listen({ port: 20_999 }), 300)`,
  },
  'a server that listens after a large import': {
    'package.json': COMMONJS,
    'large.ts': Array.from({ length: 6_000 }, (_, i) => `export const f${i} = (x: number): number => x + ${i}`).join(
      '\n',
    ),
    'main.ts': `import { createServer } from 'node:http'\nimport('./large').then(({ f1 }) => createServer(() => f1(0)).listen(20_999))`,
  },
  'a server that listens after work of the thread pool': {
    'main.mjs': `import { pbkdf2 } from 'node:crypto'\nimport { createServer } from 'node:http'\npbkdf2('a', 'b', 300_000, 64, 'sha512', () => createServer().listen(20_999))`,
  },
  'a module that exports a promise': {
    'main.cjs': `module.exports = (async () => (_req, res) => res.end())()`,
  },
  'module.exports.default, without a mark of ES modules': {
    'main.cjs': `module.exports.default = (_req, res) => res.end()`,
  },
  'a CommonJS file that listens if it is the main module': {
    'main.cjs': `const server = require('http').createServer((_req, res) => res.end())\nif (require.main === module && process.argv.length === 2) server.listen(3000)`,
  },
  'an ES module that listens if it is the main module, by its path': {
    'main.mjs': `import { createServer } from 'node:http'\nimport { fileURLToPath } from 'node:url'\nif (process.argv[1] === fileURLToPath(import.meta.url)) createServer((_req, res) => res.end()).listen(3000)`,
  },
  'an ES module that listens if it is the main module, by its address': {
    'package.json': MODULE,
    'main.ts': `#!/usr/bin/env tsx\nimport { createServer } from 'node:http'\nimport { pathToFileURL } from 'node:url'\nif (import.meta.url === pathToFileURL(process.argv[1]!).href) createServer((_req, res) => res.end()).listen(3000)`,
  },
  'a server that listens on a Unix socket': {
    'main.mjs': `import { createServer } from 'node:http'\nconst server = createServer((_req, res) => res.end())\nserver.listen('./app.sock', () => { if (server.address() !== './app.sock') throw new Error('address') })`,
  },
  'a named createApp': {
    'main.mjs': `export const createApp = async () => (_req, res) => res.end()`,
  },
  'a handler that takes its arguments as a list': { 'main.mjs': `export default (...all) => all[1].end()` },
}

const folder = mkdtempSync(join(tmpdir(), 'takespace-loading-'))
const root = fileURLToPath(new URL('../..', import.meta.url))
let results: Record<string, string>

beforeAll(async () => {
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const mains = Object.entries(PROJECTS).map(([what, files], i) => {
    for (const [name, text] of Object.entries(files)) {
      const path = join(folder, String(i), name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    }
    return [what, join(folder, String(i), Object.keys(files).find((name) => name.startsWith('main.'))!)]
  })
  writeFileSync(join(folder, 'mains.json'), JSON.stringify(mains))
  const child = fileURLToPath(new URL('./children/load-each.js', import.meta.url))
  const loading = startProcess([child, join(folder, 'mains.json'), join(folder, 'results.json')])
  expect(await loading.exited).toEqual({ code: 0, signal: null })
  results = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.each(Object.keys(PROJECTS))('%s', (what) => {
  expect(results[what]).toBe('an app')
})

test('a file that was transpiled is kept for the next start, until its source changes; a damaged record counts for nothing', async () => {
  const home = join(folder, 'kept')
  const records = join(home, 'node_modules/.cache/takespace')
  mkdirSync(join(home, 'node_modules'), { recursive: true })
  const app = join(home, 'main.mts')
  const said = async (): Promise<string | undefined> => {
    const loading = startProcess([join(root, 'test/whole/children/load-one.js'), app])
    expect(await loading.exited).toEqual({ code: 0, signal: null })
    return /exports (\w+)/.exec(loading.output())?.[1]
  }
  writeFileSync(app, "export const app: string = 'first'")
  expect(await said()).toBe('first')
  const [record] = readdirSync(records)
  const path = join(records, record!)
  const kept = readFileSync(path, 'utf8')
  expect(kept).toContain("'first'")
  // That it is used can be seen only by changing it.
  writeFileSync(path, kept.replace("'first'", "'second'"))
  expect(await said()).toBe('second')
  writeFileSync(path, kept.slice(0, 100))
  expect(await said()).toBe('first')
  writeFileSync(app, "export const app: string = 'third'")
  expect(await said()).toBe('third')
  expect(readdirSync(records)).toEqual([record])
})

test('a program in JavaScript, without a tsconfig of its own, imports TypeScript of its workspace', async () => {
  const write = (name: string, text: string): string => {
    const path = join(folder, 'workspace', name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    return path
  }
  write('lib/package.json', '{"name":"lib","type":"module","exports":"./index.ts"}')
  write('lib/index.ts', "export { text } from './text.js'")
  write('lib/text.ts', "enum Text { is = 'typed' }\nexport const text: string = Text.is")
  write('app/package.json', MODULE)
  const app = write('app/main.js', "import { text } from 'lib'\nexport const app = text")
  mkdirSync(join(folder, 'workspace/node_modules'))
  symlinkSync(join(folder, 'workspace/lib'), join(folder, 'workspace/node_modules/lib'))
  const loading = startProcess([join(root, 'test/whole/children/load-one.js'), app])
  expect(await loading.exited).toEqual({ code: 0, signal: null })
  expect(loading.output()).toContain('exports typed')
})

failOnLeaks()

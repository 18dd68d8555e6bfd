/** Every file of examples/deploy says in its head which test runs or validates it, and README.md lists its folder. */
import { existsSync, readdirSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { pathOf, textOf } from '../support/repository.js'

const FOLDER = 'examples/deploy'
/** Pages, which have no head; JSON, which has no comments; a list that Redis reads; modules that only generate.mjs reads. */
const WITHOUT_HEAD = /\.md$|\.json$|users\.acl$|(alerts|dashboard|metrics|generate)\.mjs$/

const files = readdirSync(pathOf(FOLDER), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`.slice(pathOf(FOLDER).length + 1))

test.each(files.filter((name) => !WITHOUT_HEAD.test(name)))('%s', (name) => {
  const head = textOf(`${FOLDER}/${name}`).split('\n').slice(0, 10).join('\n')
  const tests = head.match(/test\/[\w/-]+\.test\.ts/g) ?? []
  expect(tests.length).toBeGreaterThan(0)
  expect(tests.filter((path) => !existsSync(pathOf(path)))).toEqual([])
})

test('README.md lists every folder', () => {
  const page = textOf(`${FOLDER}/README.md`)
  const folders = [...new Set(files.filter((name) => name.includes('/')).map((name) => name.split('/')[0]!))]
  expect(folders.length).toBeGreaterThan(8)
  expect(folders.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
})

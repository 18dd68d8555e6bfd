/** Every link, anchor and file name in the Markdown pages, and every page that the code names, exists. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = (file: string): string => readFileSync(join(root, file), 'utf8')

const filesIn = (folder: string, ending: RegExp): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => ending.test(file) && !file.includes('node_modules'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)

const pages = [
  ...readdirSync(root).filter((file) => file.endsWith('.md')),
  ...['docs', 'bench', 'create-takespace', 'examples', '.github']
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => filesIn(folder, /\.md$/)),
]

/** A page without its code: headings and links in a fence are none. */
const prose = (page: string): string => page.replace(/^```[\s\S]*?^```/gm, '')

/** As GitHub names the headings of a page. */
const anchorsOf = (page: string): string[] =>
  [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )

/** Pages in the package link by whole addresses to files that are not in it. */
const OWN = /^https:\/\/github\.com\/takespace\/takespace\/blob\/main\/(.*)$/

function isBroken(page: string, link: string): boolean {
  const own = OWN.exec(link)?.[1]
  if (/^(https?|mailto):/.test(link) && !own) return false
  const [path = '', anchor] = (own ?? link).split('#')
  const target = path === '' ? join(root, page) : resolve(root, own ? '.' : dirname(page), path)
  if (!existsSync(target)) return true
  return !!anchor && statSync(target).isFile() && !anchorsOf(text(relative(root, target))).includes(anchor)
}

test('there are pages, and a broken link is found', () => {
  expect(pages).toContain('README.md')
  expect(pages).toContain('docs/decisions/0001-one-batch-function.md')
  expect(isBroken('docs/README.md', 'glossary.md#the-space')).toBe(false)
  expect(isBroken('docs/README.md', 'glossary.md#no-such-heading')).toBe(true)
  expect(isBroken('docs/README.md', 'no-such-page.md')).toBe(true)
})

test.each(pages)('every link and every file named in %s exists', (page) => {
  const body = text(page)
  const links = [...prose(body).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!)
  // `src/errors.ts` and its like, as words.
  const named = [...body.matchAll(/`((?:src|gateway|workers|test|docs|examples|bench|\.ci)\/[\w./-]*)`/g)]
  const missing = named.map(([, path]) => path!).filter((path) => !existsSync(join(root, path)))
  expect([...links.filter((link) => isBroken(page, link)), ...missing]).toEqual([])
})

test('docs/README.md leads to every page of docs', () => {
  const linked = [...text('docs/README.md').matchAll(/\]\(([^)#\s]+)/g)].map(([, link]) => link!)
  const own = readdirSync(join(root, 'docs')).filter((file) => file.endsWith('.md') && file !== 'README.md')
  expect(own.filter((page) => !linked.includes(page))).toEqual([])
})

test('every page that code, comments and messages name exists', () => {
  const code = ['src', 'gateway', 'workers', 'test', 'bench', 'create-takespace', 'examples', '.ci'].flatMap((folder) =>
    filesIn(folder, /\.(ts|lua|mjs|js)$/),
  )
  const missing = code.flatMap((file) =>
    [...text(file).matchAll(/\b((?:docs|bench)\/[\w/-]+\.md)\b/g)]
      .map(([, page]) => page!)
      .filter((page) => !existsSync(join(root, page)))
      .map((page) => `${file} names ${page}`),
  )
  expect(missing).toEqual([])
})

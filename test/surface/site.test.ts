/** The site as `npm run test:site` finds it, without building it: its ways in, links and anchors lead to pages, and nothing is taken for a template. */
import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import { expect, test } from '@jest/globals'
import { pathOf } from '../support/repository.js'

const site = (file: string): Promise<unknown> => import(new URL(`../../site/${file}`, import.meta.url).href)
const { sitePages } = (await site('pages.mjs')) as { sitePages(root: string): Map<string, string> }
const { apiFiles } = (await site('api.mjs')) as { apiFiles(): string[] }
const { NAV, sidebarOf } = (await site('sidebar.mjs')) as {
  NAV: readonly { link: string }[]
  sidebarOf(textOf: (file: string) => string | undefined): { items: readonly { link: string }[] }[]
}

const pages = sitePages(pathOf('.'))
/** TypeDoc writes them, in the long form. */
const ofApi = new Set(apiFiles())

/** A page without its code, and without comments. */
const proseOf = (text: string): string =>
  text
    .replace(/^```[\s\S]*?^```/gm, '')
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/`[^`\n]*`/g, '')

/** As VitePress names the headings of a page (slugify of @mdit-vue/shared); GitHub names some otherwise. */
const anchorOf = (heading: string): string =>
  heading
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[\s~`!@#$%^&*()\-_+=[\]{}|\\;:"'“”‘’<>,.?/]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .replace(/^(\d)/, '_$1')
    .toLowerCase()

function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading] of text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.*)$/gm)) {
    const anchor = anchorOf(heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1'))
    let name = anchor
    for (let n = 1; anchors.has(name); n++) name = `${anchor}-${n}`
    anchors.add(name)
  }
  return anchors
}

/** Returns why a link of a page leads nowhere; undefined if it leads somewhere, or out of the site. */
function problemOf(file: string, link: string): string | undefined {
  if (/^(https?|mailto):/.test(link)) return undefined
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? file : posix.join(posix.dirname(file), path)
  const page = target.endsWith('.md') ? target : posix.join(target, 'index.md')
  const text = pages.get(page)
  if (text === undefined) {
    return ofApi.has(page) || existsSync(pathOf(`docs/${target}`))
      ? undefined
      : `${file} leads to ${link}, which is no page`
  }
  const isThere = !anchor || anchorsOf(text).has(decodeURIComponent(anchor))
  return isThere ? undefined : `${file} leads to ${link}, which is no anchor`
}

const linksIn = (text: string): string[] => [...proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!)

test('it has the pages of docs, recipes, promises and decisions; a broken link is found', () => {
  for (const file of [
    'index.md',
    'start.md',
    'decisions/index.md',
    'recipes/index.md',
    'promises.md',
    'CHANGELOG.md',
  ]) {
    expect([file, pages.has(file)]).toEqual([file, true])
  }
  expect(problemOf('index.md', 'space.md')).toBeUndefined()
  expect(problemOf('migrate/bullmq.md', '../no-such-page.md')).toMatch(/no page/)
  expect(problemOf('index.md', 'space.md#no-such-heading')).toMatch(/no anchor/)
})

test('bar and sidebar lead to pages', () => {
  const sidebar = sidebarOf((file) => pages.get(file)).flatMap(({ items }) => items)
  expect(sidebar.length).toBeGreaterThan(30)
  const files = [...NAV, ...sidebar].map(({ link }) => `${link.slice(1)}${link.endsWith('/') ? 'index' : ''}.md`)
  expect(files.filter((file) => !pages.has(file) && !ofApi.has(file))).toEqual([])
})

test('every link leads to a page, a picture or an anchor of the site', () => {
  const problems = [...pages].flatMap(([file, text]) => linksIn(text).map((link) => problemOf(file, link)))
  expect(problems.length).toBeGreaterThan(400)
  expect(problems.filter((problem) => problem !== undefined)).toEqual([])
})

test('no page has what Vue would take for a template or an element', () => {
  const template = /\{\{|<\/?[a-z][^>]*>/gi
  const found = [...pages].flatMap(([file, text]) =>
    [...proseOf(text).matchAll(template)].map(([what]) => `${file}: ${what}`),
  )
  expect(found).toEqual([])
})

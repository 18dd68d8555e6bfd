/** Builds the site into site/dist: the pages of docs/, the recipes of examples/, the promises of the tests, and the API of the package. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vitepress'
import { writeApiPages } from './api.mjs'
import { decisionsPage } from './decisions.mjs'
import { promisesPage } from './promises.mjs'
import { recipePages } from './recipes.mjs'

const site = fileURLToPath(new URL('.', import.meta.url))
const root = join(site, '..')
/** Where the pages are put together: VitePress resolves links within one folder. */
const pages = join(site, '.pages')

function put(file, text) {
  mkdirSync(dirname(join(pages, file)), { recursive: true })
  writeFileSync(join(pages, file), text)
}

rmSync(pages, { recursive: true, force: true })
cpSync(join(root, 'docs'), pages, { recursive: true })
put('CHANGELOG.md', readFileSync(join(root, 'CHANGELOG.md'), 'utf8').replaceAll('](docs/', ']('))
put('decisions/README.md', decisionsPage(join(root, 'docs', 'decisions')))
put('promises.md', promisesPage(join(root, 'test', 'promises')))
for (const [file, text] of recipePages(join(root, 'examples'))) put(file, text)

writeApiPages(site, join(pages, 'api'))

// For programs that read the documentation as one file.
const map = readFileSync(join(root, 'docs', 'README.md'), 'utf8')
const all = [...map.matchAll(/\]\(([\w/-]+\.md)\)/g)].map(([, file]) => readFileSync(join(root, 'docs', file), 'utf8'))
put('public/icon.svg', readFileSync(join(site, 'icon.svg'), 'utf8'))
put('public/llms.txt', map)
put('public/llms-full.txt', all.join('\n\n'))

// The page of a folder is README.md in a repository, and index.md on a site.
for (const file of readdirSync(pages, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'))) {
  const text = readFileSync(join(pages, file), 'utf8').replace(/\((?!https?:)([^)\s]*)README\.md/g, '($1index.md')
  rmSync(join(pages, file))
  put(file.replace(/README\.md$/, 'index.md'), text)
}

await build(site)

/** Builds the site into site/dist: the pages of docs/, the recipes of examples/, the promises of the tests, and the API of the package. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vitepress'
import { writeApiPages } from './api.mjs'
import { asOnSite, sitePages } from './pages.mjs'

const site = fileURLToPath(new URL('.', import.meta.url))
const root = join(site, '..')
/** Where the pages are put together: VitePress resolves links within one folder. */
const pages = join(site, '.pages')

function put(file, text) {
  mkdirSync(dirname(join(pages, file)), { recursive: true })
  writeFileSync(join(pages, file), text)
}

rmSync(pages, { recursive: true, force: true })
// Pictures; the pages follow.
cpSync(join(root, 'docs'), pages, { recursive: true, filter: (file) => !file.endsWith('.md') })
for (const [file, text] of sitePages(root)) put(file, text)

const api = join(pages, 'api')
writeApiPages(site, api)
for (const file of readdirSync(api)) {
  const [name, text] = asOnSite([file, readFileSync(join(api, file), 'utf8')])
  rmSync(join(api, file))
  put(`api/${name}`, text)
}

// For programs that read the documentation as one file.
const map = readFileSync(join(root, 'docs', 'README.md'), 'utf8')
const all = [...map.matchAll(/\]\(([\w/-]+\.md)\)/g)].map(([, file]) => readFileSync(join(root, 'docs', file), 'utf8'))
put('public/icon.svg', readFileSync(join(site, 'icon.svg'), 'utf8'))
put('public/llms.txt', map)
put('public/llms-full.txt', all.join('\n\n'))

await build(site)

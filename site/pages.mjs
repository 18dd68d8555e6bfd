/** The pages of the site, but those of the API: docs/, the changelog, and what is made of decisions, tests and examples. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decisionsPage } from './decisions.mjs'
import { promisesPage } from './promises.mjs'
import { recipePages } from './recipes.mjs'

/** The page of a folder is README.md in a repository, and index.md on a site. */
export const asOnSite = ([file, text]) => [
  file.replaceAll('\\', '/').replace(/README\.md$/, 'index.md'),
  text.replace(/\((?!https?:)([^)\s]*)README\.md/g, '($1index.md'),
]

/** Returns the text of each page by its file on the site. */
export function sitePages(root) {
  const docs = join(root, 'docs')
  const files = readdirSync(docs, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.md'))
  const all = [
    ...files.map((file) => [file, readFileSync(join(docs, file), 'utf8')]),
    ['CHANGELOG.md', readFileSync(join(root, 'CHANGELOG.md'), 'utf8').replaceAll('](docs/', '](')],
    ['decisions/README.md', decisionsPage(join(docs, 'decisions'))],
    ['promises.md', promisesPage(join(root, 'test', 'promises'))],
    ...recipePages(join(root, 'examples')),
  ]
  return new Map(all.map(asOnSite))
}

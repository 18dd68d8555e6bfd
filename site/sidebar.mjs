/** The sidebar: the sections and tables of docs/README.md, and what is made for the site alone. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Returns the sections of docs/README.md, each with its pages in the order of its table. */
export function sidebarOf(pages) {
  const map = readFileSync(join(pages, 'index.md'), 'utf8')
  const sections = map.split(/^## /m).map((section, i) => ({
    text: i === 0 ? 'Start' : section.slice(0, section.indexOf('\n')),
    collapsed: false,
    items: [...section.matchAll(/\]\(([\w/.-]+)\)/g)].map(([, link]) => itemOf(pages, link)),
  }))
  return sections.filter(({ items }) => items.length > 0)
}

/** A link to a folder leads to its list. */
function itemOf(pages, link) {
  const file = link.endsWith('.md') ? link : `${link.replace(/\/$/, '')}/index.md`
  if (!existsSync(join(pages, file))) throw new Error(`docs/README.md leads to ${link}, which is no page.`)
  const [, title] = /^# (.+)$/m.exec(readFileSync(join(pages, file), 'utf8'))
  return { text: title.replaceAll('`', ''), link: `/${file.replace(/index\.md$/, '').replace(/\.md$/, '')}` }
}

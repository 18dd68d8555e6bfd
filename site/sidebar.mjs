/** The ways into the site: its bar, and the sidebar, which is the sections and tables of docs/README.md. */

export const NAV = [
  { text: 'Five minutes', link: '/start' },
  { text: 'Recipes', link: '/recipes/' },
  { text: 'API', link: '/api/' },
]

/**
 * Returns the sections of docs/README.md, each with its pages in the order of its table.
 * @param textOf returns the text of a file of the site; undefined if there is none
 */
export function sidebarOf(textOf) {
  const sections = textOf('index.md')
    .split(/^## /m)
    .map((section, i) => ({
      text: i === 0 ? 'Start' : section.slice(0, section.indexOf('\n')),
      collapsed: false,
      items: [...section.matchAll(/\]\(([\w/.-]+)\)/g)].map(([, link]) => itemOf(textOf, link)),
    }))
  return sections.filter(({ items }) => items.length > 0)
}

/** A link to a folder leads to its list. */
function itemOf(textOf, link) {
  const file = link.endsWith('.md') ? link : `${link.replace(/\/$/, '')}/index.md`
  const text = textOf(file)
  if (text === undefined) throw new Error(`docs/README.md leads to ${link}, which is no page.`)
  const [, title] = /^# (.+)$/m.exec(text)
  return { text: title.replaceAll('`', ''), link: `/${file.replace(/index\.md$/, '').replace(/\.md$/, '')}` }
}

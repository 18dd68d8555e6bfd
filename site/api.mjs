/** The reference of the API: what TypeDoc writes of the declarations of the build, under the names by which programs import it. */
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Entry points of the package: the page of TypeDoc, and what each has. */
const ENTRY_POINTS = {
  takespace: { page: 'src', about: 'the space, its entries, clients of tasks' },
  'takespace/gateway': { page: 'gateway', about: 'HTTP in' },
  'takespace/workers': { page: 'workers', about: 'apps and tasks' },
  'takespace/session': { page: 'src/session', about: 'sessions of users' },
}

/** The files of the reference, as on the site. */
export const apiFiles = () => ['api/index.md', ...Object.keys(ENTRY_POINTS).map((name) => `api/${pageOf(name)}`)]

const pageOf = (name) => `${name.replace('/', '-')}.md`

/** TypeDoc numbers anchors of one name across kinds of members, the site does not: a number that no heading gives is left out. */
function withAnchors(text) {
  const times = new Map()
  for (const [, heading] of text.matchAll(/^#+ (\w+)/gm)) {
    times.set(heading.toLowerCase(), (times.get(heading.toLowerCase()) ?? 0) + 1)
  }
  return text.replace(/\(#(\w+)-(\d+)\)/g, (link, name, n) =>
    Number(n) < (times.get(name) ?? 0) ? link : `(#${name})`,
  )
}

export function writeApiPages(site, folder) {
  const typedoc = join(site, 'node_modules', 'typedoc', 'bin', 'typedoc')
  execFileSync(process.execPath, [typedoc, '--out', folder], { cwd: site, stdio: 'inherit' })
  const entryPoints = Object.entries(ENTRY_POINTS)
  const renamed = (_link, page) => `(${pageOf(entryPoints.find(([, entry]) => entry.page === page)[0])}`
  for (const [name, { page }] of entryPoints) {
    const text = readFileSync(join(folder, `${page}.md`), 'utf8')
    const links = text.replace(/\((?:\.\.\/)?(src\/session|src|gateway|workers)\.md/g, renamed)
    rmSync(join(folder, `${page}.md`))
    writeFileSync(join(folder, pageOf(name)), withAnchors(links.replace(/^# .+$/m, `# ${name}`)))
  }
  rmSync(join(folder, 'src'), { recursive: true })
  const list = entryPoints.map(([name, { about }]) => `- [${name}](${pageOf(name)}): ${about}`)
  writeFileSync(
    join(folder, 'README.md'),
    `# API\n\nMade from the declarations of the package.\n\n${list.join('\n')}\n`,
  )
}

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

const pageOf = (name) => `${name.replace('/', '-')}.md`

export function writeApiPages(site, folder) {
  const typedoc = join(site, 'node_modules', 'typedoc', 'bin', 'typedoc')
  execFileSync(process.execPath, [typedoc, '--out', folder], { cwd: site, stdio: 'inherit' })
  const entryPoints = Object.entries(ENTRY_POINTS)
  const renamed = (_link, page) => `(${pageOf(entryPoints.find(([, entry]) => entry.page === page)[0])}`
  for (const [name, { page }] of entryPoints) {
    const text = readFileSync(join(folder, `${page}.md`), 'utf8')
    const links = text.replace(/\((?:\.\.\/)?(src\/session|src|gateway|workers)\.md/g, renamed)
    rmSync(join(folder, `${page}.md`))
    writeFileSync(join(folder, pageOf(name)), links.replace(/^# .+$/m, `# ${name}`))
  }
  rmSync(join(folder, 'src'), { recursive: true })
  const list = entryPoints.map(([name, { about }]) => `- [${name}](${pageOf(name)}): ${about}`)
  writeFileSync(
    join(folder, 'README.md'),
    `# API\n\nMade from the declarations of the package.\n\n${list.join('\n')}\n`,
  )
}

/** Reads CPU profiles and prints where the time went: `node bench/profile.mjs FOLDER…`, a table per folder. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROWS = 30
const root = fileURLToPath(new URL('..', import.meta.url))
const maps = new Map()

/** The line in the source, for what was compiled. */
function origin(url, line, column) {
  if (!url.startsWith('file:')) return url ? `${url}:${line + 1}` : ''
  const file = fileURLToPath(url)
  if (!maps.has(file)) {
    maps.set(file, existsSync(`${file}.map`) ? new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8'))) : null)
  }
  const entry = maps.get(file)?.findEntry(line, column)
  const source = entry?.originalSource ? entry.originalSource.replace(/^(\.\.\/)+/, '') : relative(root, file)
  return `${source}:${(entry?.originalLine ?? line) + 1}`
}

/** Microseconds of self time by function, over all profiles of a folder. */
function selfTimes(folder) {
  const times = new Map()
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))) {
    const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(folder, name), 'utf8'))
    const byId = new Map(nodes.map((node) => [node.id, node.callFrame]))
    samples.forEach((id, i) => {
      const { functionName, url, lineNumber, columnNumber } = byId.get(id)
      const key = `${functionName || '(anonymous)'} ${origin(url, lineNumber, columnNumber)}`
      times.set(key, (times.get(key) ?? 0) + timeDeltas[i])
    })
  }
  return times
}

for (const folder of process.argv.slice(2)) {
  const times = selfTimes(folder)
  const idle = ['(idle) ', '(program) '].map((key) => times.get(key) ?? 0)
  times.delete('(idle) ')
  const busy = [...times.values()].reduce((sum, value) => sum + value, 0)
  console.log(`\n${folder}: busy ${(busy / 1e6).toFixed(1)} s, idle ${(idle[0] / 1e6).toFixed(1)} s`)
  for (const [key, value] of [...times].sort((a, b) => b[1] - a[1]).slice(0, ROWS)) {
    console.log(`${((100 * value) / busy).toFixed(1).padStart(5)} %  ${key}`)
  }
}

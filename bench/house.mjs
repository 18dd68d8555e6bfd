/** Figures of the house: files, import graph, comments, names and options, of this checkout or of another: `node bench/house.mjs [FOLDER]`. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)))

const files = ['src', 'gateway', 'workers'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && /\.(ts|lua)$/.test(file.name) && !file.name.includes('.generated.'))
    .map((file) => relative(root, join(file.parentPath, file.name))),
)
const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))
const modules = files.filter((file) => file.endsWith('.ts'))

/** The files that a file imports. `withTypes`: also for types alone. */
function importsOf(file, withTypes) {
  const found = new Set()
  const statements =
    /^(?:import|export)\s+(type\s)?([^'"]*?)\s?from\s+['"](\.[^'"]+)['"]|\bimport\(['"](\.[^'"]+)['"]\)/gm
  for (const [, type, names, target, dynamic] of texts.get(file).matchAll(statements)) {
    const braces = /^\{([^}]*)\}$/.exec((names ?? '').trim())
    const only = braces?.[1].split(',').filter((name) => name.trim())
    const isType = type !== undefined || only?.every((name) => name.trim().startsWith('type '))
    if (isType && !withTypes) continue
    found.add(relative(root, resolve(root, dirname(file), target ?? dynamic)).replace(/\.js$/, '.ts'))
  }
  return [...found].filter((target) => texts.has(target))
}

/** The sets of files that import each other in a circle (Tarjan). */
function circles(withTypes) {
  const index = new Map()
  const low = new Map()
  const stack = []
  const result = []
  const visit = (file) => {
    index.set(file, index.size)
    low.set(file, index.get(file))
    stack.push(file)
    for (const next of importsOf(file, withTypes)) {
      if (!index.has(next)) visit(next)
      if (stack.includes(next)) low.set(file, Math.min(low.get(file), low.get(next)))
    }
    if (low.get(file) !== index.get(file)) return
    const circle = stack.splice(stack.indexOf(file))
    if (circle.length > 1) result.push(circle)
  }
  for (const file of modules) if (!index.has(file)) visit(file)
  return result
}

const heights = new Map()
function height(file) {
  if (!heights.has(file)) {
    heights.set(file, 1)
    heights.set(file, 1 + Math.max(0, ...importsOf(file, false).map(height)))
  }
  return heights.get(file)
}

const comments = files.flatMap((file) =>
  texts
    .get(file)
    .split('\n')
    .flatMap((line) => {
      const opening = /^\s*(\/\/|\/\*\*?|\*|--)\s?/.exec(line)
      return opening ? [{ line, words: line.slice(opening[0].length) }] : []
    }),
)
const count = (test) => comments.filter(test).length

const declared = new Map()
for (const file of modules) {
  const names = texts
    .get(file)
    .matchAll(/^export (?:abstract )?(?:async )?(?:interface|type|class|const|function\*?) (\w+)/gm)
  for (const [, name] of names) declared.set(name, new Set([...(declared.get(name) ?? []), file]))
}
const twice = [...declared].filter(([, places]) => places.size > 1)

const operations = [...texts.values()].join('\n').match(/^function OPS\.\w+/gm) ?? []
const keys = files
  .filter((file) => file.endsWith('.lua'))
  .reduce((sum, file) => sum + (texts.get(file).match(/\bP \.\. '/g)?.length ?? 0), 0)

const options = [...texts.values()].join('\n')
const largest = [...options.matchAll(/^export interface (\w*(?:Options|Settings))\b[^{]*\{\n([\s\S]*?)^\}/gm)]
  .map(([, name, body]) => [name, body.match(/^ {2}readonly \w+/gm)?.length ?? 0])
  .sort((a, b) => b[1] - a[1])

const rows = [
  ['flat files in src', modules.filter((file) => /^src\/[^/]+$/.test(file)).length],
  ['TypeScript files', modules.length],
  ['floors of the import graph', Math.max(...modules.map(height))],
  ['circles at run time', circles(false).length],
  ['circles with types', circles(true).length],
  ['operations', operations.length],
  ['operations named by one letter', operations.filter((name) => /\.\w$/.test(name)).length],
  ['keys made by hand in Lua', keys],
  ['comment lines', comments.length],
  [
    '… that open with What, Whether, Of, So, Who(ever)',
    count(({ words }) => /^(What|Whether|Of|So|Who|Whoever)\b/.test(words)),
  ],
  ['… over 120 characters', count(({ line }) => line.length > 120)],
  ['names exported by two files', twice.length],
  [
    'most options of a public function',
    largest
      .slice(0, 4)
      .map(([name, n]) => `${name} ${n}`)
      .join(', '),
  ],
]
const width = Math.max(...rows.map(([what]) => what.length))
for (const [what, figure] of rows) console.log(`${what.padEnd(width)}  ${figure}`)

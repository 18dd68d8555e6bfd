/** Figures of the house: files, import graph, comments, names and options, of this checkout or of another: `node bench/house.mjs [FOLDER]`. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { circlesOf, exportedTwice, filesIn, importsOf, ownImportsOf } from '../.ci/modules.mjs'

const root = resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)))

const files = filesIn(root, ['src', 'gateway', 'workers'])
const modules = files.filter(({ path }) => path.endsWith('.ts'))
const text = files.map((file) => file.text).join('\n')

const known = new Set(modules.map(({ path }) => path))
const graph = (imports) =>
  new Map(modules.map((file) => [file.path, [...new Set(imports(file))].filter((target) => known.has(target))]))
const atRunTime = graph((file) => importsOf(file).map((target) => target.replace(/\.js$/, '.ts')))
const withTypes = graph(ownImportsOf)

const heights = new Map()
function height(file) {
  if (!heights.has(file)) {
    heights.set(file, 1)
    heights.set(file, 1 + Math.max(0, ...atRunTime.get(file).map(height)))
  }
  return heights.get(file)
}

const comments = text.split('\n').flatMap((line) => {
  const opening = /^\s*(\/\/|\/\*\*?|\*|--)\s?/.exec(line)
  return opening ? [{ line, words: line.slice(opening[0].length) }] : []
})
const count = (test) => comments.filter(test).length

const operations = text.match(/^function OPS\.\w+/gm) ?? []
const keys = files
  .filter(({ path }) => path.endsWith('.lua'))
  .reduce((sum, { text }) => sum + (text.match(/\bP \.\. '/g)?.length ?? 0), 0)

const largest = [...text.matchAll(/^export interface (\w*(?:Options|Settings))\b[^{]*\{\n([\s\S]*?)^\}/gm)]
  .map(([, name, body]) => [name, body.match(/^ {2}readonly \w+/gm)?.length ?? 0])
  .sort((a, b) => b[1] - a[1])

const rows = [
  ['flat files in src', modules.filter(({ path }) => /^src\/[^/]+$/.test(path)).length],
  ['TypeScript files', modules.length],
  ['floors of the import graph', Math.max(...[...known].map(height))],
  ['circles at run time', circlesOf(atRunTime).length],
  ['circles with types', circlesOf(withTypes).length],
  ['operations', operations.length],
  ['operations named by one letter', operations.filter((name) => /\.\w$/.test(name)).length],
  ['keys made by hand in Lua', keys],
  ['comment lines', comments.length],
  [
    '… that open with What, Whether, Of, So, Who(ever)',
    count(({ words }) => /^(What|Whether|Of|So|Who|Whoever)\b/.test(words)),
  ],
  ['… over 120 characters', count(({ line }) => line.length > 120)],
  ['names exported by two files', exportedTwice(modules).length],
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

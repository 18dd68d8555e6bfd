/** The report of the public API: each public name and its type, from the declarations of the build. `npm run api` writes it into api/. */
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const self = fileURLToPath(import.meta.url)
const root = fileURLToPath(new URL('..', import.meta.url))

const DECLARED = /^(?:export )?(?:declare )?(?:abstract )?(?:interface|type|class|const|function|enum) (\w+)/

/** The statements of a file of declarations, without comments. TypeScript writes each from the first column on, and indents the rest of it. */
function statementsOf(text) {
  const bare = text.replace(/("[^"\n]*"|'[^'\n]*')|\/\*[\s\S]*?\*\//g, (_all, string) => string ?? '')
  return bare
    .split(/\n(?=[a-z])/)
    .map((statement) => statement.replace(/\n\s*\n/g, '\n').trim())
    .filter(Boolean)
}

/** The names in the braces of an import or export, each with its name in the other file. */
const namesIn = (list) =>
  list.split(',').flatMap((each) => {
    const [theirs, ours] = each
      .trim()
      .replace(/^type /, '')
      .split(' as ')
    return theirs ? [[ours ?? theirs, theirs]] : []
  })

const files = new Map()

/** What a file declares, by name, and which names it has from which of our files. */
function read(file) {
  const known = files.get(file)
  if (known) return known
  const declared = new Map()
  const from = new Map()
  const exported = []
  const types = new Set()
  for (const statement of statementsOf(readFileSync(file, 'utf8'))) {
    const [, verb, type, list, source] =
      /^(import|export) (type )?\{([\s\S]*)\}(?: from '([^']+)')?/.exec(statement) ?? []
    const name = DECLARED.exec(statement)?.[1]
    if (list !== undefined) {
      const target = source?.startsWith('.') && resolve(dirname(file), source).replace(/\.js$/, '.d.ts')
      for (const [ours, theirs] of namesIn(list)) {
        if (target) from.set(ours, [target, theirs])
        if (verb === 'export') exported.push(ours)
        if (type) types.add(ours)
      }
    } else if (name) {
      // Overloads are several statements of one name.
      declared.set(name, [...(declared.get(name) ?? []), statement])
      if (statement.startsWith('export ')) exported.push(name)
    }
  }
  const module = { file, declared, from, exported: [...new Set(exported)].sort(), types }
  files.set(file, module)
  return module
}

/** Where a name is declared, `{ module, name }`; null for one of a package or of the language. */
function find(module, name) {
  if (module.declared.has(name)) return { module, name }
  const [file, theirs] = module.from.get(name) ?? []
  return file ? find(read(file), theirs) : null
}

/** A declaration as the report shows it: which file it is in, and whether that exports it, is not part of the API. */
const textOf = ({ module, name }) =>
  module.declared
    .get(name)
    .map((statement) => statement.replace(/^export /, '').replace(/^declare /, ''))
    .join('\n')

const keyOf = ({ module, name }) => `${module.file} ${name}`

/** Adds to `found` the declarations of our files that these name, and those that those name, and so on, but for what is reported elsewhere. */
function reachableFrom(found, elsewhere) {
  const seen = new Map(found.map((each) => [keyOf(each), each]))
  for (const each of seen.values()) {
    const text = textOf(each)
    const inline = [...text.matchAll(/import\(['"](\.[^'"]+)['"]\)\.(\w+)/g)].map(([, path, name]) =>
      find(read(resolve(dirname(each.module.file), path).replace(/\.js$/, '.d.ts')), name),
    )
    const named = (text.match(/\b[A-Z]\w*/g) ?? []).map((name) => find(each.module, name))
    for (const next of [...inline, ...named]) if (next && !elsewhere.has(keyOf(next))) seen.set(keyOf(next), next)
  }
  return [...seen.values()]
}

const section = (found) =>
  `### ${found.name}${found.typeOnly ? ' (type only)' : ''}\n\n\`\`\`ts\n${textOf(found)}\n\`\`\`\n`
const byName = (a, b) => (a.name < b.name ? -1 : 1)

function report(title, exported, rest) {
  return [
    `# ${title}\n`,
    'The public names and their types, written by `npm run api` from the declarations of the build.\n',
    '## Exported\n',
    ...exported.map(section),
    ...(rest.length > 0 ? ['## Not exported, but named above\n', ...rest.map(section)] : []),
  ].join('\n')
}

/**
 * The reports of the package's entry points, which must have been built: path from the root, text, and the exported names that are values. A type
 * that the first entry point has is not told again by the others.
 */
export function reports() {
  files.clear()
  const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const elsewhere = new Set()
  return Object.entries(exports).flatMap(([path, { import: esm }]) => {
    if (!esm) return []
    const module = read(join(root, esm.types))
    const exported = module.exported.map((each) => {
      const found = find(module, each)
      const isValue = /^(?:abstract )?(?:class|const|function|enum) /.test(textOf(found))
      return { ...found, isValue: isValue && !module.types.has(each), typeOnly: isValue && module.types.has(each) }
    })
    const all = reachableFrom(exported, elsewhere)
    for (const each of all) elsewhere.add(keyOf(each))
    const rest = all.slice(exported.length).sort(byName)
    return [
      {
        file: `api/${path === '.' ? name : path.slice(2)}.api.md`,
        text: report(path.replace('.', name), exported, rest),
        entry: join(root, esm.default),
        values: exported.flatMap((each) => (each.isValue ? each.name : [])),
      },
    ]
  })
}

if (process.argv[1] && realpathSync(process.argv[1]) === realpathSync(self)) {
  mkdirSync(join(root, 'api'), { recursive: true })
  for (const { file, text } of reports()) writeFileSync(join(root, file), text)
}

/** The source files of a checkout as modules: their texts, imports, circles of imports, and exported names. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'

/** Returns the files of these folders, each `{ path, text }`; paths are from the root, with slashes. Generated files are left out. */
export const filesIn = (root, folders, ending = /\.(ts|lua)$/) =>
  folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile() && ending.test(file.name) && !file.name.includes('.generated.'))
      .map((file) => join(file.parentPath, file.name))
      .filter((path) => !path.includes(`${sep}node_modules${sep}`))
      .map((path) => ({ path: relative(root, path).split(sep).join('/'), text: readFileSync(path, 'utf8') })),
  )

const fromRoot = (path, target) => posix.join(posix.dirname(path), target)

/** Returns what a file imports at run time: own files by their compiled names from the root, packages by name. Types leave nothing behind. */
export function importsOf({ path, text }) {
  const statements = text.matchAll(
    /^(?:import|export)\s+(?!type\b)(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]\)/gm,
  )
  return [...statements].map(([, fixed, dynamic]) => {
    const target = fixed ?? dynamic
    return target.startsWith('.') ? fromRoot(path, target) : target
  })
}

/** Returns the own files that a file imports, those included of which it needs types alone. */
export function ownImportsOf({ path, text }) {
  const statements = text.matchAll(
    /^(?:import|export)\s[^'"]*?from\s+['"](\.[^'"]+)['"]|\bimport\(['"](\.[^'"]+)['"]\)/gm,
  )
  return [...statements].map(([, fixed, dynamic]) => fromRoot(path, fixed ?? dynamic).replace(/\.js$/, '.ts'))
}

/** Returns the sets of files that import each other in a circle (Tarjan). @param imports by file: what it imports */
export function circlesOf(imports) {
  const index = new Map()
  const low = new Map()
  const stack = []
  const circles = []
  const visit = (file) => {
    index.set(file, index.size)
    low.set(file, index.get(file))
    stack.push(file)
    for (const next of imports.get(file) ?? []) {
      if (!index.has(next)) visit(next)
      if (stack.includes(next)) low.set(file, Math.min(low.get(file), low.get(next)))
    }
    if (low.get(file) !== index.get(file)) return
    const circle = stack.splice(stack.indexOf(file))
    if (circle.length > 1) circles.push(circle)
  }
  for (const file of imports.keys()) if (!index.has(file)) visit(file)
  return circles
}

/** Returns the names that more than one file declares and exports, each with those files. */
export function exportedTwice(files) {
  const places = new Map()
  for (const { path, text } of files) {
    const declared = text.matchAll(
      /^export (?:declare )?(?:abstract )?(?:async )?(?:const|let|function\*?|class|interface|type|enum)\s+([\w$]+)/gm,
    )
    for (const [, name] of declared) places.set(name, [...new Set([...(places.get(name) ?? []), path])])
  }
  return [...places].filter(([, paths]) => paths.length > 1)
}

/**
 * Joins the Lua files into one text. A file says in a comment which of its locals others may use (`-- shares: name, name`); all others end
 * with the file. The order follows from what each file uses. Names of the protocol (`REPLY.done`) are replaced by their values. Throws an
 * error that names the file and the line if
 * - a name that a file uses is neither its own nor shared by another file, or the protocol has no such name,
 * - two files have a local of the same name,
 * - a shared name is not declared, or no other file uses it,
 * - files use each other in a circle,
 * - an operation has no function, or its parameters are not those of the protocol.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import luaparse from 'luaparse'
import { constantsOf, parametersOf, protocolLua, readProtocol } from './protocol.mjs'

/** The globals of Lua 5.1 that Redis gives to a function library. */
const GLOBALS = new Set(
  'redis cjson cmsgpack struct bit math string table collectgarbage error ipairs next pairs pcall select tonumber tostring type unpack'.split(
    ' ',
  ),
)
/** Lua allows 200 locals in one function, and the joined files are one function. */
const MOST_SHARED = 184
/** The file that is made from the protocol. */
const MADE = 'protocol.lua'

const engine = fileURLToPath(new URL('../src/engines/redis', import.meta.url))

/** Returns the function library as one text, with the values of the protocol in place. */
export async function joinLibrary() {
  return joinLua(join(engine, 'lua'), await readProtocol(engine))
}

/** @param folder where the .lua files are @param protocol its exports; none: nothing is replaced @returns the joined text */
export function joinLua(folder, protocol) {
  const constants = protocol ? constantsOf(protocol) : {}
  const texts = readdirSync(folder)
    .filter((name) => name.endsWith('.lua'))
    .sort()
    .map((name) => [name, readFileSync(join(folder, name), 'utf8').trimEnd()])
  if (protocol) texts.push([MADE, protocolLua(protocol)])
  const files = texts.map(([name, text]) => readLua(name, text, constants))
  const owners = ownersOf(files)
  for (const file of files) checkUses(file, owners)
  checkShares(files, owners)
  if (protocol) checkOperations(files, protocol.OPERATIONS)
  return inOrder(files, owners)
    .map((file) => `-- file: ${file.name}\n${scoped(file)}\n`)
    .join('\n')
}

function fail(file, line, message) {
  throw new Error(`${file.name}:${line}: ${message}`)
}

/** What the joiner needs to know of one file. */
function readLua(name, text, constants) {
  const { body, globals } = luaparse.parse(text, { luaVersion: '5.1', scope: true, ranges: true, locations: true })
  const declarations = body
    .filter(({ type, isLocal }) => type === 'LocalStatement' || (type === 'FunctionDeclaration' && isLocal))
    .map((node) => ({ node, names: node.type === 'LocalStatement' ? node.variables : [node.identifier] }))
  const shares = new Set(
    [...text.matchAll(/^-- shares: (.+)$/gm)].flatMap(([, names]) => names.split(',').map((each) => each.trim())),
  )
  const free = globals.filter((each) => !GLOBALS.has(each.name) && !Object.hasOwn(constants, each.name))
  const operations = body.filter(
    ({ type, identifier }) => type === 'FunctionDeclaration' && identifier?.base?.name === 'OPS',
  )
  const edits = []
  replaceConstants({ name }, body, constants, edits)
  return { name, text, declarations, shares, free, operations, edits }
}

/** Collects the places of protocol names, outermost first: `RECORD.score.from` is one value. */
function replaceConstants(file, node, constants, edits) {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const each of node) replaceConstants(file, each, constants, edits)
    return
  }
  const path = node.type === 'MemberExpression' ? pathOf(node) : node.type === 'Identifier' ? [node.name] : undefined
  if (path && Object.hasOwn(constants, path[0])) {
    let value = constants
    for (const name of path) value = Object.hasOwn(value, name) ? value[name] : undefined
    if (typeof value !== 'string' && typeof value !== 'number')
      fail(file, node.loc.start.line, `protocol.ts has no ${path.join('.')}`)
    edits.push({ range: node.range, text: typeof value === 'number' ? String(value) : quoted(value) })
    return
  }
  for (const [key, child] of Object.entries(node)) {
    // A field of that name is no name of the protocol.
    if ((node.type === 'MemberExpression' && key === 'identifier') || (node.type === 'TableKeyString' && key === 'key'))
      continue
    if (key !== 'range' && key !== 'loc') replaceConstants(file, child, constants, edits)
  }
}

const quoted = (text) => `'${text.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n')}'`

function pathOf({ base, identifier }) {
  if (base.type === 'Identifier') return [base.name, identifier.name]
  return base.type === 'MemberExpression' ? [...(pathOf(base) ?? []), identifier.name] : undefined
}

/** Returns by name which file declares it. */
function ownersOf(files) {
  const owners = new Map()
  for (const file of files) {
    for (const { name, loc } of file.declarations.flatMap(({ names }) => names)) {
      const other = owners.get(name)
      if (other) fail(file, loc.start.line, `${name} is a local of ${other.name}, too; give one of them another name`)
      owners.set(name, file)
    }
  }
  return owners
}

function checkUses(file, owners) {
  for (const { name, loc } of file.free) {
    const owner = owners.get(name)
    if (!owner) fail(file, loc.start.line, `${name} is not declared`)
    if (!owner.shares.has(name)) fail(file, loc.start.line, `${owner.name} does not share ${name}`)
  }
}

function checkShares(files, owners) {
  const used = new Set(files.flatMap(({ free }) => free.map(({ name }) => name)))
  let count = 0
  for (const file of files) {
    for (const name of file.shares) {
      count += 1
      if (owners.get(name) !== file) fail(file, 1, `shares ${name}, which it does not declare`)
      if (!used.has(name)) fail(file, 1, `shares ${name}, which no other file uses`)
    }
  }
  if (count > MOST_SHARED) throw new Error(`${count} names are shared; at most ${MOST_SHARED} may be`)
}

function checkOperations(files, operations) {
  const missing = new Set(Object.keys(operations))
  for (const file of files) {
    for (const { identifier, parameters, loc } of file.operations) {
      const { name } = identifier.identifier
      if (!Object.hasOwn(operations, name)) fail(file, loc.start.line, `protocol.ts has no operation ${name}`)
      const [expected, found] = [parametersOf(operations[name]), parameters.map((each) => each.name)].map((list) =>
        list.join(', '),
      )
      if (expected !== found) fail(file, loc.start.line, `${name}(${found}) is ${name}(${expected}) in protocol.ts`)
      missing.delete(name)
    }
  }
  if (missing.size > 0) throw new Error(`operations without a function: ${[...missing].join(', ')}`)
}

/** Returns the files, each behind those that it uses. */
function inOrder(files, owners) {
  const placed = []
  const place = (file, path) => {
    if (placed.includes(file)) return
    if (path.includes(file)) {
      const circle = [...path.slice(path.indexOf(file)), file].map(({ name }) => name)
      throw new Error(`these files use each other: ${circle.join(' → ')}`)
    }
    const uses = new Set(file.free.map(({ name }) => owners.get(name)))
    for (const other of files) if (uses.has(other)) place(other, [...path, file])
    placed.push(file)
  }
  for (const file of files) place(file, [])
  return placed
}

/** Returns the file as a block, with what it shares declared before it and the values of the protocol in place. */
function scoped(file) {
  const edits = [...file.edits]
  for (const { node, names } of file.declarations) {
    const shared = names.filter(({ name }) => file.shares.has(name))
    if (shared.length === 0) continue
    if (shared.length < names.length)
      fail(file, node.loc.start.line, 'shares some of the names of one statement; split the statement')
    const [from, to] = node.range
    const hasValue = node.type !== 'LocalStatement' || node.init.length > 0
    edits.push({ range: [from, hasValue ? from + 'local '.length : to], text: '' })
  }
  let { text } = file
  for (const { range, text: replacement } of edits.sort((a, b) => b.range[0] - a.range[0]))
    text = text.slice(0, range[0]) + replacement + text.slice(range[1])
  const declared = file.shares.size > 0 ? `local ${[...file.shares].join(', ')}\n` : ''
  return `${declared}do\n${text}\nend`
}

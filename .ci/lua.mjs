/**
 * Joins the Lua files into one text, in the order that the first line of prelude.lua gives. A file sees the locals of those before it,
 * never of those behind it. What a file keeps to itself ends with it, since one chunk of Lua has room for 200 locals.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const LOCAL_FUNCTION = /^local function (\w+)/
const LOCALS = /^local (\w+(?:, \w+)*)[ ]*(=|--|$)/

/** The text, or '' if the folder has none. */
export function joinLua(folder) {
  const names = luaNames(folder)
  const texts = names.map((name) => readFileSync(join(folder, `${name}.lua`), 'utf8').trimEnd())
  return names
    .map((name, i) => `-- file: ${name}.lua\n${i === 0 ? texts[0] : scoped(texts[i], texts.slice(i + 1))}\n`)
    .join('\n')
}

function luaNames(folder) {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.lua')) : []
  if (names.length === 0) return []
  const [first] = readFileSync(join(folder, 'prelude.lua'), 'utf8').split('\n')
  const order = ['prelude', ...first.replace(/^-- then: /, '').split(' ')]
  const stray = names.filter((name) => !order.includes(name.slice(0, -4)))
  if (stray.length > 0) throw new Error(`not named in the first line of prelude.lua: ${stray.join(', ')}`)
  return order
}

/** The file as a block; what later ones name is declared before it. */
function scoped(text, later) {
  const isShared = (name) => later.some((other) => new RegExp(`\\b${name}\\b`).test(other))
  const shared = []
  const lines = text.split('\n').map((line) => {
    const [, own] = LOCAL_FUNCTION.exec(line) ?? []
    const [, list, next] = LOCALS.exec(line) ?? []
    const names = own ? [own] : (list?.split(', ') ?? [])
    if (!names.some(isShared)) return line
    shared.push(...names)
    const rest = line.slice('local '.length)
    return own || next === '=' ? rest : `-- ${rest}`
  })
  const declared = shared.length > 0 ? `local ${shared.join(', ')}\n` : ''
  return `${declared}do\n${lines.join('\n')}\nend`
}

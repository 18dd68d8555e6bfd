/** Reads src/engines/redis/protocol.ts for the Lua side: its values by name, and the Lua file of operations and keys that is made from it. */
import { readFileSync } from 'node:fs'
import { transformSync } from '@swc/core'

/** @param file protocol.ts, which is data alone @returns its exports */
export async function readProtocol(file) {
  const { code } = transformSync(readFileSync(file, 'utf8'), { jsc: { parser: { syntax: 'typescript' } } })
  const exports = await import(`data:text/javascript,${encodeURIComponent(code)}`)
  return { ...exports }
}

/** Returns the tables whose values stand in the place of their names in Lua: those of the protocol, and the codes of single characters. */
export function constantsOf(protocol) {
  const tables = { ...protocol }
  for (const [name, table] of Object.entries(protocol)) {
    const values = Object.values(table)
    if (values.length > 0 && values.every((value) => typeof value === 'string' && value.length === 1))
      tables[`${name}_BYTES`] = Object.fromEntries(
        Object.entries(table).map(([key, value]) => [key, value.charCodeAt(0)]),
      )
  }
  return tables
}

/** Returns the parameters of the Lua function of an operation. */
export const parametersOf = ({ args }) => args.flatMap((name) => (name === 'entries' ? ['from', 'last'] : [name]))

/** Returns the text of the Lua file that is made from the protocol: what main.lua needs to run operations, and all names of keys. */
export function protocolLua({ OPERATIONS, REPLY, REPLY_VALUES, KEYS }) {
  const operations = Object.entries(OPERATIONS)
  const keys = Object.entries(KEYS)
  const fixed = keys.filter(([, { of }]) => of === undefined)
  const ofPresence = keys.filter(([, { of }]) => of === 'presence')
  const others = keys.filter(([, { of }]) => of !== undefined && of !== 'presence')
  const table = (entries) => `{ ${entries.join(', ')} }`
  return [
    '-- Made from protocol.ts: how many arguments operations have, how many values follow replies, and the names of keys.',
    `-- shares: ARGUMENTS, HAS_ENTRIES, VALUE_COUNTS, prefix, keys, useKeys, keysOf, ${others.map(([name]) => `${name}Key`).join(', ')}`,
    `local ARGUMENTS = ${table(operations.map(([name, { args }]) => `${name} = ${args.filter((each) => each !== 'entries').length}`))}`,
    `local HAS_ENTRIES = ${table(operations.filter(([, { args }]) => args.includes('entries')).map(([name]) => `${name} = true`))}`,
    `local VALUE_COUNTS = ${table(Object.entries(REPLY_VALUES).map(([name, values]) => `['${REPLY[name]}'] = ${values.length}`))}`,
    'local prefix -- of every key of this partition',
    'local keys   -- those that are named alike in every partition',
    'local byPrefix, known = {}, 0',
    'local function useKeys(text)',
    '  prefix, keys = text, byPrefix[text]',
    '  if keys then return end',
    '  if known >= 64 then byPrefix, known = {}, 0 end',
    '  known = known + 1',
    `  keys = ${table([...fixed.map(([name, { name: suffix }]) => `${name} = text .. '${suffix}'`), 'of = {}', 'count = 0'])}`,
    '  byPrefix[text] = keys',
    'end',
    '-- Returns the keys of a presence; made once, and kept for the calls that follow.',
    'local function keysOf(presence)',
    '  local found = keys.of[presence]',
    '  if found then return found end',
    '  if keys.count >= 1024 then keys.of, keys.count = {}, 0 end',
    '  keys.count = keys.count + 1',
    `  found = ${table(ofPresence.map(([name, { name: suffix }]) => `${name} = prefix .. '${suffix}' .. presence`))}`,
    '  keys.of[presence] = found',
    '  return found',
    'end',
    ...others.map(([name, { name: suffix }]) => `local function ${name}Key(of) return prefix .. '${suffix}' .. of end`),
  ].join('\n')
}

/** Reads protocol.ts and key-names.ts of the engine for the Lua side: their values by name, and the Lua file of operations and keys that is made from them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { transformSync } from '@swc/core'

/** @param folder where the two files are, which are data alone @returns their exports */
export async function readProtocol(folder) {
  const read = async (name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    const { code } = transformSync(text, { jsc: { parser: { syntax: 'typescript' } } })
    return import(`data:text/javascript,${encodeURIComponent(code)}`)
  }
  return { ...(await read('protocol.ts')), ...(await read('key-names.ts')) }
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
    '-- Made from protocol.ts and key-names.ts: how many arguments operations have, how many values follow replies, and the names of keys.',
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

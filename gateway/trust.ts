/** The setting of trusted proxies. The only file that imports proxy-addr, when addresses are given. */
import { createRequire } from 'node:module'
import { SpaceError } from '../src/errors.js'

const require = createRequire(import.meta.url)

/**
 * The proxies whose fields are trusted, as in the setting `trust proxy` of Express: the number of proxies in front;
 * addresses, CIDR ranges and the names `loopback`, `linklocal`, `uniquelocal` and `private` (all three), as a list or
 * with commas between them; a function of an address and its distance (0 = the peer of the gateway); true = any peer.
 */
export type TrustProxy = boolean | number | string | readonly string[] | ((address: string, hop: number) => boolean)

/** Returns whether an address is a trusted proxy; `hop` is 0 for the peer of the gateway. */
export type Trust = (address: string, hop: number) => boolean

const PRIVATE = ['loopback', 'linklocal', 'uniquelocal']
const NAMES: ReadonlySet<string> = new Set(PRIVATE)

/** The library would read `10` as an address. */
const ADDRESS = /^[\da-f.:]*[.:][\da-f.:]*(?:\/[\d.]+)?$/i

/** Returns the test of a setting. Throws INVALID_ARGUMENT if the setting is malformed. */
export function trustOf(setting: TrustProxy): Trust {
  if (typeof setting === 'function') return setting
  if (typeof setting === 'boolean') return () => setting
  if (typeof setting === 'number') {
    if (!Number.isInteger(setting) || setting < 0) throw invalid(setting)
    return (_address, hop) => hop < setting
  }
  const list = typeof setting === 'string' ? setting.split(',') : setting
  if (!Array.isArray(list)) throw invalid(setting)
  const names = list.flatMap((item: unknown) => {
    const name = typeof item === 'string' ? item.trim() : ''
    if (name === 'private') return PRIVATE
    if (!NAMES.has(name) && !ADDRESS.test(name)) throw invalid(item)
    return [name]
  })
  if (names.length === 0) throw invalid(setting)
  try {
    const { compile } = require('proxy-addr') as typeof import('proxy-addr')
    return compile(names)
  } catch (error) {
    throw invalid(setting, error)
  }
}

const invalid = (value: unknown, cause?: unknown): SpaceError =>
  new SpaceError(
    'INVALID_ARGUMENT',
    `trustProxy is a number of proxies, a list of addresses, CIDR ranges and names (loopback, linklocal, uniquelocal, private), true, false or a function, not ${String(value)}.`,
    { cause },
  )

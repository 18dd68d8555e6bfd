/** Observations of a client script of an app in one way, as text by record and field, and how two ways differ. */
import type { Answer, App, Way } from './app.js'

/** About the connection or the moment, not about the answer; or added by takespace to every answer (docs/lifecycle.md). */
const LEFT_OUT = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding', 'x-request-id'])

type Mask = readonly (readonly [RegExp, string])[]

export class Records {
  /** By `<record> <field>`. */
  readonly seen = new Map<string, string>()
  count = 0

  /** Records status, fields and body of an answer. */
  answer(name: string, { status, reason, fields, body }: Answer, mask: Mask): void {
    this.count++
    const masked = (text: string): string => mask.reduce((all, [pattern, by]) => all.replace(pattern, by), text)
    this.#set(`${name} status`, `${status} ${reason}`)
    for (const [field, value] of fields) {
      if (!LEFT_OUT.has(field)) this.#set(`${name} header ${field}`, masked(value))
    }
    this.#set(`${name} body`, masked(body.toString('utf8')))
  }

  value(name: string, value: unknown): void {
    this.count++
    this.#set(name, JSON.stringify(value, null, 1))
  }

  #set(name: string, text: string): void {
    const before = this.seen.get(name)
    this.seen.set(name, before === undefined ? text : `${before}\n${text}`)
  }
}

export interface Found {
  /** `<record> <field>`. */
  readonly at: string
  readonly way: Way
  readonly direct: string | undefined
  readonly here: string | undefined
  /** Why it is no error; undefined if nothing explains it. */
  readonly reason: string | undefined
}

/** Returns in what `here` differs from `direct`. */
export function differences(app: App, way: Way, direct: Records, here: Records): Found[] {
  const names = new Set([...direct.seen.keys(), ...here.seen.keys()])
  return (
    [...names]
      .filter((at) => direct.seen.get(at) !== here.seen.get(at))
      // A body that is complete at once is sent with its length; directly it was chunked.
      .filter((at) => !(at.endsWith(' header content-length') && !direct.seen.has(at)))
      .map((at) => ({
        at,
        way,
        direct: direct.seen.get(at),
        here: here.seen.get(at),
        reason: app.differences?.find((each) => each.ways.includes(way) && each.at.test(at))?.reason,
      }))
  )
}

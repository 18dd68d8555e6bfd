/** Limits of an entry, and their check on encoded entries before these are parsed: work is bounded before it begins. */

/** Deeper nesting is refused: a foreign entry must not exhaust the stack. */
export const DEEPEST = 64

/** A larger entry is refused: store the content elsewhere, and its name in the entry. In bytes as stored. */
export const LARGEST_ENTRY = 8 * 1024 * 1024

/** Each field is an index entry to maintain, in one atomic call. */
export const MOST_FIELDS = 1_000

/** Names of one nested object. Objects of many names are slow to make: 2 µs a name. */
export const MOST_NAMES = 10_000

/** Names, objects and lists of an entry in all; a date, a bigint and bytes are an object of one name. */
export const MOST_PARTS = 250_000

/** Values of an entry in all: items of lists and fields of objects. */
export const MOST_VALUES = 1_000_000

/** Less text has too few parts to take long: 64 KiB are parsed in 15 ms, whatever they hold. */
const CHECKED_FROM = 65_536

const [QUOTE, BACKSLASH, COMMA, COLON] = [34, 92, 44, 58]
const [LIST, LIST_END, OBJECT, OBJECT_END] = [91, 93, 123, 125]

/** Throws a TypeError if the text of an entry has more in it than an entry may have. Takes 3 ns a byte. */
export function checkedBeforeParse(text: Buffer): void {
  if (text.length > LARGEST_ENTRY) throw new TypeError(`more than ${LARGEST_ENTRY} bytes`)
  if (text.length < CHECKED_FROM) return
  /** Names so far of the object at each depth. */
  const names = new Uint32Array(DEEPEST + 1)
  let depth = 0
  let parts = 0
  let values = 0
  let isText = false
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]
    if (isText) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) isText = false
    } else if (byte === QUOTE) {
      isText = true
    } else if (byte === COLON) {
      parts++
      if (++names[depth]! > (depth === 1 ? MOST_FIELDS : MOST_NAMES)) throw new TypeError('an object of too many names')
    } else if (byte === COMMA) {
      values++
    } else if (byte === LIST || byte === OBJECT) {
      parts++
      if (++depth > DEEPEST) throw new TypeError(`nested deeper than ${DEEPEST}`)
      names[depth] = 0
    } else if (byte === LIST_END || byte === OBJECT_END) {
      if (--depth < 0) throw new TypeError('not JSON')
    }
    if (parts > MOST_PARTS) throw new TypeError(`more than ${MOST_PARTS} names, objects and lists`)
  }
  if (values > MOST_VALUES) throw new TypeError(`more than ${MOST_VALUES} values`)
}

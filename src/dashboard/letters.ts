/** Dead letters as the dashboard lists them: in groups of the same error, in pages, without headers and bodies. */
import { ALL_DEAD_LETTERS } from '../entry/dead-letter.js'
import { shownRequest } from '../request/shown.js'
import type { Space } from '../space.js'
import { type DeadLetter, deadLetterOf } from '../tasks/dead-letter.js'
import { deadLetters } from '../tasks/requeue.js'
import { PAGE_ROWS, type Search } from './searches.js'

/** A choice of dead letters: those that have all that is given. */
export interface LetterChoice {
  readonly reason?: string
  readonly service?: string
  readonly task?: string
  /** The name and the first line of the message of the last error. */
  readonly error?: string
}

export interface ShownLetter {
  readonly id: string
  readonly reason: string
  readonly kind: string
  readonly attempts: number
  /** ms since 1970. */
  readonly writtenAt: number
  readonly service: string
  readonly task: string
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly error: string
}

export interface LetterGroup extends Required<LetterChoice> {
  readonly count: number
  /** ms since 1970. */
  readonly oldestAt: number
  readonly newestAt: number
}

const LONGEST_ERROR = 300
/** More groups are not shown. */
const MOST_GROUPS = 200

/** Returns a dead letter as the page shows it. */
export function shownLetter(letter: DeadLetter): ShownLetter {
  const { id, reason, kind, attempts, writtenAt, service = '', task = '', error, request } = letter
  const { method, path } = task === '' && request ? shownRequest(request) : { method: '', path: '' }
  const text = error ? `${error.name}: ${error.message.split('\n', 1)[0]}` : ''
  return { id, reason, kind, attempts, writtenAt, service, task, method, path, error: text.slice(0, LONGEST_ERROR) }
}

/** Returns whether a dead letter has all that is chosen. */
export const isChosen = (letter: ShownLetter, choice: LetterChoice): boolean =>
  Object.entries(choice).every(([name, value]) => letter[name as keyof LetterChoice] === value)

/** Returns the groups, largest first. `isWhole` is false if there was no time for all, or there are too many groups. */
export async function letterGroups(space: Space, search: Search) {
  const groups = new Map<string, LetterGroup>()
  let isWhole = true
  for await (const [letter] of deadLetters(space)) {
    const { reason, service, task, error, writtenAt } = shownLetter(letter)
    const key = JSON.stringify([reason, service, task, error])
    const { count = 0, oldestAt = writtenAt, newestAt = writtenAt } = groups.get(key) ?? {}
    if (count > 0 || groups.size < MOST_GROUPS) {
      const times = { oldestAt: Math.min(oldestAt, writtenAt), newestAt: Math.max(newestAt, writtenAt) }
      groups.set(key, { reason, service, task, error, count: count + 1, ...times })
    } else isWhole = false
    if (!search.isOver()) continue
    isWhole = false
    break
  }
  return { groups: [...groups.values()].sort((a, b) => b.count - a.count), isWhole }
}

/** Returns a page of the dead letters that are chosen, oldest first. */
export async function letterPage(space: Space, choice: LetterChoice, after: string | null, search: Search) {
  const letters: ShownLetter[] = []
  for (let cursor = after; ; ) {
    const { entries, next } = await space.engine.list(ALL_DEAD_LETTERS, cursor, PAGE_ROWS - letters.length)
    for (const entry of entries) {
      const letter = readable(() => shownLetter(deadLetterOf(entry)))
      if (letter && isChosen(letter, choice)) letters.push(letter)
    }
    cursor = next
    if (next === null || letters.length >= PAGE_ROWS || search.isOver()) return { letters, next }
  }
}

/** Returns the ids of the dead letters that are chosen, at most `most`. */
export async function chosenLetterIds(space: Space, choice: LetterChoice, most: number): Promise<string[]> {
  const ids: string[] = []
  for await (const [letter] of deadLetters(space)) {
    if (!isChosen(shownLetter(letter), choice)) continue
    ids.push(letter.id)
    if (ids.length === most) break
  }
  return ids
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

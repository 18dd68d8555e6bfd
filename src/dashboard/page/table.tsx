/** Tables: rows change in place, new ones are counted and shown on a click, and each row is a card where there is no room. */
import { Icon } from './icons.js'
import { type ComponentChildren, useRef, useState } from './preact.js'
import { countWords } from './words.js'

export interface Column<R> {
  readonly title: string
  /** Aligned to the right. */
  readonly isNumber?: boolean
  /** Sorts by this value; undefined: the column cannot be sorted. */
  readonly sort?: (row: R) => string | number
  cell(row: R): ComponentChildren
}

interface Terms<R> {
  readonly caption: string
  readonly columns: readonly Column<R>[]
  readonly rows: readonly R[]
  keyOf(row: R): string
  /** Shown without rows. */
  readonly empty: string
  /** New rows wait for a click. The line that tells of them is always there: nothing moves under the user's pointer. */
  readonly isLive?: boolean
  /** The column that sorts at first, by its title; descending. */
  readonly first?: string
}

interface Sorting {
  readonly title: string
  readonly isDescending: boolean
}

function sorted<R>(rows: readonly R[], columns: readonly Column<R>[], by: Sorting | undefined): R[] {
  const value = columns.find(({ title }) => title === by?.title)?.sort
  if (!value) return [...rows]
  const sign = by?.isDescending ? -1 : 1
  return [...rows].sort((a, b) => {
    const [left, right] = [value(a), value(b)]
    return left === right ? 0 : (left < right ? -1 : 1) * sign
  })
}

/** The order of the rows stays until the user sorts, or asks for the new ones. */
export function Table<R>({ caption, columns, rows, keyOf, empty, isLive, first }: Terms<R>) {
  const [sorting, setSorting] = useState<Sorting | undefined>(first ? { title: first, isDescending: true } : undefined)
  const order = useRef<readonly string[] | undefined>(undefined)
  const [, redraw] = useState(0)
  const byKey = new Map(rows.map((row) => [keyOf(row), row]))
  if (!isLive || !order.current || order.current.length === 0) order.current = sorted(rows, columns, sorting).map(keyOf)
  const shown = order.current.flatMap((key) => {
    const row = byKey.get(key)
    return row === undefined ? [] : [row]
  })
  const hidden = rows.length - shown.length
  const arrange = (by: Sorting | undefined): void => {
    order.current = sorted(rows, columns, by).map(keyOf)
    setSorting(by)
    redraw((n) => n + 1)
  }
  const sortBy = (title: string): void =>
    arrange({ title, isDescending: sorting?.title === title ? !sorting.isDescending : true })
  const ariaSort = (title: string) =>
    sorting?.title !== title ? undefined : sorting.isDescending ? ('descending' as const) : ('ascending' as const)
  return (
    <>
      {isLive && (shown.length > 0 || hidden > 0) && (
        <p class="rows">
          {countWords(shown.length, 'row')}
          {hidden > 0 && (
            <button type="button" class="new" onClick={() => arrange(sorting)}>
              Show {hidden} new
            </button>
          )}
        </p>
      )}
      <table role="table">
        <caption class="unseen">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(({ title, isNumber, sort }) => (
              <th
                key={title}
                role="columnheader"
                scope="col"
                class={isNumber ? 'number' : ''}
                aria-sort={ariaSort(title)}
              >
                {sort ? (
                  <button type="button" onClick={() => sortBy(title)}>
                    {title}
                    {sorting?.title === title && <Icon name={sorting.isDescending ? 'down' : 'up'} />}
                  </button>
                ) : (
                  title
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {shown.map((row) => (
            <tr role="row" key={keyOf(row)}>
              {columns.map(({ title, isNumber, cell }) => (
                <td key={title} role="cell" class={isNumber ? 'number' : ''} data-label={title}>
                  <span class="value">{cell(row)}</span>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length === 0 && hidden === 0 && <p class="empty">{empty}</p>}
    </>
  )
}

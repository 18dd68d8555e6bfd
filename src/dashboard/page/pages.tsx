/** Pages of a list: forward by the cursor of the last answer, and back through those before. */
import { type ComponentChildren, useState } from './preact.js'

export interface Pages {
  /** Where this page begins; '' = the first one. */
  readonly after: string
  readonly isFirst: boolean
  next(cursor: string): void
  before(): void
  first(): void
}

export function usePages(): Pages {
  const [cursors, setCursors] = useState<readonly string[]>([])
  return {
    after: cursors.at(-1) ?? '',
    isFirst: cursors.length === 0,
    next: (cursor) => setCursors([...cursors, cursor]),
    before: () => setCursors(cursors.slice(0, -1)),
    first: () => setCursors([]),
  }
}

/** The buttons to other pages; `next` is null on the last one. */
export const Pager = ({ pages, next, children }: PagerTerms) => (
  <div class="buttons pages">
    {!pages.isFirst && (
      <button type="button" onClick={pages.before}>
        Page before
      </button>
    )}
    {next && (
      <button type="button" onClick={() => pages.next(next)}>
        Next page
      </button>
    )}
    {children}
  </div>
)

interface PagerTerms {
  readonly pages: Pages
  readonly next: string | null | undefined
  readonly children?: ComponentChildren
}

/** Listings of a memory space: pages of matches, their number, and how a search for them goes. None of them waits. */
import { wallMs } from '../../clock.js'
import type { Backlog, EncodedTemplate, Page } from '../../engine.js'
import { type Item, readable, storedOf, takeable } from './bag.js'
import { checkedPosition, positionOf } from './place.js'
import type { World } from './world.js'

/** Returns a page of the matches behind a position. Under a transaction they are locked as it reads them. */
export function pageIn(
  world: World,
  template: EncodedTemplate,
  after: string | null,
  most: number,
  tx: string | undefined,
): Page {
  const items: Item[] = []
  let hasMore = false
  for (const item of world.bag.matching(template, (each) => readable(each, tx), checkedPosition(after))) {
    hasMore = items.length === most
    if (hasMore) break
    items.push(item)
  }
  const last = items[items.length - 1]
  return {
    entries: items.map((item) => ({ ...storedOf(world.give(item, false, tx)), deaths: item.deaths })),
    next: hasMore && last ? positionOf(template, last) : null,
    cursorAt: (entry) => positionOf(template, items[entry]!),
  }
}

/** Returns the number of matches that can be read. */
export function countIn({ bag }: World, template: EncodedTemplate): number {
  let count = 0
  for (const _ of bag.matching(template, (item) => readable(item, undefined))) count++
  return count
}

/** Returns the number and age of the free matches. */
export function backlogIn({ bag }: World, template: EncodedTemplate): Backlog {
  const backlog = { count: 0, oldestMs: 0 }
  const now = wallMs()
  for (const { writtenAt } of bag.matching(template, (item) => takeable(item, undefined))) {
    backlog.count++
    backlog.oldestMs = Math.max(backlog.oldestMs, now - writtenAt)
  }
  return backlog
}

/** A Redis Cluster as one of its nodes sees it. */

/** How many slots every Cluster has. */
export const SLOTS = 16_384

/** From the first to the last of them. */
type Range = readonly [number, number]

export interface KnownNode {
  readonly id: string
  readonly port: number
  /** Such as `myself`, `master`, `slave`, `fail?`, `fail`, `handshake`. */
  readonly flags: readonly string[]
  /** The id of the primary that it follows; `-` of a primary. */
  readonly follows: string
  /** The slots that it has, ascending. */
  readonly ranges: readonly Range[]
}

/** @param nodes the reply to CLUSTER NODES */
export const viewOf = (nodes: string): KnownNode[] =>
  nodes
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id = '', address = '', flags = '', follows = '', , , , , ...ranges] = line.split(' ')
      return {
        id,
        port: Number(/:(\d+)@/.exec(address)?.[1]),
        flags: flags.split(','),
        follows,
        // In brackets are those that are on their way.
        ranges: ranges.filter((range) => !range.startsWith('[')).map(rangeOf),
      }
    })

/** `5` and `5-7` */
function rangeOf(text: string): Range {
  const [from = 0, to = from] = text.split('-').map(Number)
  return [from, to]
}

export const hasMet = ({ flags }: KnownNode): boolean => !flags.includes('handshake') && !flags.includes('noaddr')

/** Neither dead nor suspected. */
export const isAlive = ({ flags }: KnownNode): boolean => !flags.includes('fail') && !flags.includes('fail?')

export const hasSlot = ({ ranges }: KnownNode, slot: number): boolean =>
  ranges.some(([from, to]) => from <= slot && slot <= to)

export const slotsOf = ({ ranges }: KnownNode): number[] =>
  ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i))

/** How many slots have an owner. */
export const ownedSlots = (view: readonly KnownNode[]): number =>
  view.flatMap(({ ranges }) => ranges).reduce((sum, [from, to]) => sum + to - from + 1, 0)

/** Whose slots are whose, as two nodes that agree both say it. */
export const ownershipIn = (view: readonly KnownNode[]): string =>
  view
    .map(({ id, ranges }) => `${id} ${ranges.join(' ')}`)
    .sort()
    .join('\n')

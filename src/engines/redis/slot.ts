/** Slots of a Cluster: which of its 16,384 shares a key belongs to, and tags that spread partitions over all of them. */
import calculateSlot from 'cluster-key-slot'

const SLOTS = 16_384

export const slotOf = (key: string): number => calculateSlot(key)

/**
 * Returns the hash tag of a partition: the first of `BASE/INDEX.0`, `BASE/INDEX.1`, … whose slot is in the share of the
 * slots that the partition would have if all had equal ones. So partitions are spread as evenly as the slots of the
 * nodes are, and every process finds the same tag. A later generation is part of the base: `BASE/GENERATION/INDEX.0`.
 */
export function partitionTag(space: string, index: number, count: number, generation = 0): string {
  const base = generation === 0 ? space : `${space}/${generation}`
  const from = Math.ceil((SLOTS * index) / count)
  const end = Math.ceil((SLOTS * (index + 1)) / count)
  for (let attempt = 0; ; attempt++) {
    const tag = `${base}/${index}.${attempt}`
    const slot = slotOf(`{${tag}}`)
    if (from <= slot && slot < end) return tag
  }
}

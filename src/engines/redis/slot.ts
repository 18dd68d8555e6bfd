/** Slots of a Cluster: which of its 16,384 shares a key belongs to. */
import calculateSlot from 'cluster-key-slot'

export const SLOTS = 16_384

export const slotOf = (key: string): number => calculateSlot(key)

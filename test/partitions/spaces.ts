/** Spaces of several partitions, as several processes see them, for the tests of partitions. */
import { World } from '../../src/engines/memory/world.js'
import { Placement } from '../../src/engines/partitions/placement.js'
import { tokenOf } from '../../src/entry/token.js'
import { defineEntry } from '../../src/entry.js'
import { Space } from '../../src/space.js'
import { partitionedInMemory } from '../support/every-engine.js'

/** Entries of one lane are in one partition. */
export const Keyed = defineEntry<{ id: string; lane: string }>('Keyed', { partition: 'lane' })

export const worldsOf = (count: number): World[] => Array.from({ length: count }, () => new World())

export const spaceOn = (worlds: readonly World[]): Space => new Space(partitionedInMemory(worlds), 'memory')

/** Returns a lane whose entries go to this partition. */
export function laneOf(partition: number, partitions: number): string {
  const placement = new Placement(partitions, '')
  for (let i = 0; ; i++) if (placement.ofKey(tokenOf(`lane${i}`)) === partition) return `lane${i}`
}

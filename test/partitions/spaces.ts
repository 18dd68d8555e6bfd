/** Spaces of several partitions, as several processes see them, for the tests of partitions. */
import { World } from '../../src/engines/memory/world.js'
import { defineEntry } from '../../src/entry.js'
import { Space } from '../../src/space.js'
import { partitionedInMemory } from '../support/partitioned.js'

/** Entries of one lane are in one partition. */
export const Keyed = defineEntry<{ id: string; lane: string }>('Keyed', { partition: 'lane' })

export const worldsOf = (count: number): World[] => Array.from({ length: count }, () => new World())

export const spaceOn = (worlds: readonly World[]): Space => new Space(partitionedInMemory(worlds), 'memory')

export { laneOf } from './lanes.js'

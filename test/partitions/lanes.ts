/** Lanes: values of a partition key, by the partition that they lead to. */
import { FixedPlacement } from '../../src/engines/partitions/placement.js'
import { tokenOf } from '../../src/entry/token.js'

/** Returns a lane whose entries go to this partition. */
export function laneOf(partition: number, partitions: number): string {
  const placement = new FixedPlacement(partitions, '')
  for (let i = 0; ; i++) if (placement.ofKey(tokenOf(`lane${i}`)) === partition) return `lane${i}`
}

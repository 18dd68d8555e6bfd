/** Spaces of several partitions, in memory and on Redis, as every process sees them. */
import type { Bounds } from '../../src/engine/bounds.js'
import type { Engine } from '../../src/engine.js'
import { MemoryEngine } from '../../src/engines/memory/index.js'
import type { World } from '../../src/engines/memory/world.js'
import { PartitionedEngine } from '../../src/engines/partitions/index.js'
import { RedisEngine } from '../../src/engines/redis/index.js'
import { silent } from '../../src/log.js'

/** The partitions of one process in memory, shared by all that are opened on these worlds. */
export function membersInMemory([first, ...others]: readonly World[], bounds?: Bounds): Engine[] {
  const engine = new MemoryEngine(first, bounds)
  return [engine, ...others.map((world) => new MemoryEngine(world, bounds, engine.presence))]
}

/** The same on Redis: each partition is a space of its own name, at one address or each at its own. */
export async function membersOnRedis(
  url: string | readonly string[],
  names: readonly string[],
  bounds: Bounds = {},
): Promise<Engine[]> {
  const open = (i: number, presence?: string): Promise<RedisEngine> => {
    const own = typeof url === 'string' ? url : (url[i] as string)
    const terms = { durability: undefined, connectTimeoutMs: 5_000, logger: silent, bounds, access: {} }
    return RedisEngine.open(own, { ...terms, name: names[i] as string, presence })
  }
  const first = await open(0)
  return [first, ...(await Promise.all(names.slice(1).map((_, i) => open(i + 1, first.presence))))]
}

export const partitionedInMemory = (worlds: readonly World[], bounds?: Bounds): PartitionedEngine =>
  new PartitionedEngine(membersInMemory(worlds, bounds))

export const partitionedOnRedis = async (
  url: string | readonly string[],
  names: readonly string[],
  bounds?: Bounds,
): Promise<PartitionedEngine> => new PartitionedEngine(await membersOnRedis(url, names, bounds))

/** Memory spaces by label: `memory:NAME` is shared within the process. */
import { World } from './world.js'

const worlds = new Map<string, World>()

/** Returns the world of that name, a new one if it is not open. */
export function sharedWorld(name: string): World {
  let world = worlds.get(name)
  if (!world) {
    world = new World(() => worlds.delete(name))
    worlds.set(name, world)
  }
  return world
}

/** Memory spaces that this process shares by name: whoever opens `memory:NAME` joins those who have it open. */
import { World } from './world.js'

const worlds = new Map<string, World>()

/** Returns the world of that name; a fresh one if nobody has it open. */
export function sharedWorld(name: string): World {
  let world = worlds.get(name)
  if (!world) {
    world = new World(() => worlds.delete(name))
    worlds.set(name, world)
  }
  return world
}

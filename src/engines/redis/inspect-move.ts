/** Looks, for `takespace doctor`, at whether a space moves. */
import { keysOf } from './keys.js'
import { partsOf } from './partition-count.js'
import { PHASE } from './protocol.js'
import { lookAt } from './wire/look.js'

/** joined, moving: the space moves away; moved: it has left; arriving: it moves to this address. */
export type SeenMove = 'joined' | 'moving' | 'moved' | 'arriving'

const NAMES: Readonly<Record<number, SeenMove>> = {
  [PHASE.joined]: 'joined',
  [PHASE.moving]: 'moving',
  [PHASE.moved]: 'moved',
}

/** Returns how the space at this address moves; undefined if it does not. */
export async function inspectMove(url: string, name: string, timeoutMs: number): Promise<SeenMove | undefined> {
  const [part] = await partsOf(url, name, timeoutMs)
  const { counters, move, origin } = keysOf(name, part)
  return lookAt(url, timeoutMs, counters, async (client) => {
    const [from, to] = [Number(await client.call('GET', move)), Number(await client.call('GET', origin))]
    return to === PHASE.arriving ? 'arriving' : NAMES[from]
  })
}

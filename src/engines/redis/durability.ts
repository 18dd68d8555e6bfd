/** The check that a server keeps acknowledged data as long as was asked for. */
import { SpaceError } from '../../errors.js'
import type { Logger } from '../../log.js'
import type { Server } from './wire/server.js'

const LEVELS = ['memory', 'local', 'fsync']

/** `asked`: the lowest level that is accepted; undefined: any. @throws SpaceError DURABILITY_UNAVAILABLE */
export function checkDurability({ durability }: Server, asked: string | undefined, logger: Logger): void {
  if (asked && LEVELS.indexOf(durability) < LEVELS.indexOf(asked)) {
    const also = asked === 'fsync' ? ' and appendfsync always' : ''
    throw new SpaceError(
      'DURABILITY_UNAVAILABLE',
      `Asked for ${asked}, it gives ${durability}: set appendonly yes${also}.`,
    )
  }
  if (!asked && durability === 'memory') {
    logger.warn({}, 'this Redis keeps nothing over a restart; set appendonly yes for the level local')
  }
}

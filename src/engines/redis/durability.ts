/** The check that a server keeps acknowledged data as well as was asked for. */
import { type Durability, isWeaker, replicasOf } from '../../engine/durability.js'
import { SpaceError } from '../../errors.js'
import type { Logger } from '../../log.js'
import type { Server } from './wire/server.js'

/** Where there are replicas, one more machine has what was acknowledged. */
const WITH_REPLICAS = 'replicated:1'

/**
 * Returns the level that the server gives. `asked`: the lowest level that is accepted; undefined: any, and
 * `replicated:1` if the primary may fail over. @throws SpaceError DURABILITY_UNAVAILABLE
 */
export function agreedDurability(
  server: Pick<Server, 'durability' | 'replicas'>,
  asked: Durability | undefined,
  failsOver: boolean,
  logger: Logger,
): Durability {
  const { durability, replicas } = server
  const wanted = asked ?? (failsOver ? WITH_REPLICAS : undefined)
  const count = replicasOf(wanted ?? '')
  if (count > 0 && replicas >= count) return wanted!
  if (asked && count > 0) {
    throw unavailable(`Asked for ${asked}, it has ${replicas} connected replicas: see INFO replication.`)
  }
  if (count > 0) logger.warn({}, 'this primary has no connected replica: a failover loses what was acknowledged')
  else if (asked && isWeaker(durability, asked)) {
    const also = asked === 'fsync' ? ' and appendfsync always' : ''
    throw unavailable(`Asked for ${asked}, it gives ${durability}: set appendonly yes${also}.`)
  }
  if (!asked && durability === 'memory') {
    logger.warn({}, 'this Redis keeps nothing over a restart; set appendonly yes for the level local')
  }
  return durability
}

/**
 * Returns the level that a server gives which was found after the space was opened at the level `agreed`: replicas may
 * come later, and are waited for. @throws SpaceError DURABILITY_UNAVAILABLE if it is less than `asked`
 */
export function stillGiven(server: Server, agreed: string, asked: Durability | undefined, logger: Logger): string {
  if (replicasOf(agreed) > 0) return agreed
  const { durability } = server
  const isLess = isWeaker(durability, agreed)
  if (isLess && asked) throw unavailable(`The space was opened at ${agreed}, this server gives ${durability}.`)
  if (isLess) logger.warn({ before: agreed, now: durability }, 'this server keeps less than the one before')
  return durability
}

const unavailable = (detail: string): SpaceError => new SpaceError('DURABILITY_UNAVAILABLE', detail)

/** The options of the engine on Redis. */
import type { Access } from '../../engine/access.js'
import type { Bounds } from '../../engine/bounds.js'
import type { Durability } from '../../engine/durability.js'
import type { Logger } from '../../log.js'
import type { Partition } from './keys.js'

export interface RedisOptions {
  readonly name: string
  readonly durability: Durability | undefined
  readonly connectTimeoutMs: number
  readonly logger: Logger
  readonly bounds: Bounds
  readonly access: Access
  /** The part of the space, on a Cluster. Default: all of it. */
  readonly partition?: Partition | undefined
  /** The name of this process, if it has one in another space. Default: a new one. */
  readonly presence?: string | undefined
  /** The process has the other address of a space that moves, too. */
  readonly isMoving?: boolean | undefined
}

/** Where the runs of history and soak have their space: on one server, behind Sentinels, or on a Cluster. */
import { startPartition } from './partition.js'
import { startPrimary } from './primary.js'
import { type Redis, type RedisOptions, startRedis } from './redis.js'

/** Undefined: on one server. */
export type Place = 'sentinels' | 'cluster'

/** @param text the value of `--on` */
export function placeOf(text: string | undefined): Place | undefined {
  if (text === undefined || text === 'sentinels' || text === 'cluster') return text
  throw new Error('--on is sentinels or cluster, or left out.')
}

/** @param name of the space */
export function startOn(place: Place | undefined, name: string, options: RedisOptions): Promise<Redis> {
  if (place === 'cluster') return startPartition(name, options)
  return place === 'sentinels' ? startPrimary(options) : startRedis(options)
}

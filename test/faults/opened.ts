/** A Redis server and a link to it for one file of fault tests; what a test leaves open is closed after it. */
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { type Link, startLink } from '../support/link.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'

export let redis: Redis
export let link: Link
beforeAll(async () => {
  redis = await startRedis({ appendonly: true, appendfsync: 'always' })
  link = await startLink(redis.port)
})
afterAll(async () => {
  await link.close()
  await redis.stop()
})

/** What a test that fails half-way has left open must not be the next one's. */
const spaces: Space[] = []
const children: Process[] = []
afterEach(async () => {
  redis.resume()
  link.heal()
  await link.accept()
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(spaces.splice(0).map((space) => space.close()))
})

export const open = async (url: string): Promise<Space> => {
  const space = await openSpace(url)
  spaces.push(space)
  return space
}

export const child = (name: string, ...args: string[]): Process => {
  const started = startProcess([fileURLToPath(new URL(`children/${name}.js`, import.meta.url)), redis.url, ...args])
  children.push(started)
  return started
}

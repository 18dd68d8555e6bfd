/** A space of which one view is behind a link that can be cut, and the other is not. */
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { type Link, startLink } from './link.js'
import { type Redis, type RedisOptions, startRedis } from './redis.js'
import { until } from './until.js'

export interface OverLink {
  readonly redis: Redis
  readonly link: Link
  /** Behind the link. */
  readonly far: Space
  /** Not behind it: knows what is true. */
  readonly near: Space
  /** Cuts the link, and leaves it so. */
  away(): Promise<void>
  /** Lets it through again. */
  back(): Promise<void>
  /** Resolves when the far one stands in the space. */
  isBack(): Promise<void>
  close(): Promise<void>
}

/** Both are there while the tests of this file run, and new ones for each test if `anew`; after each test the link is whole. */
export function overLink({ anew = false, ...options }: RedisOptions & { readonly anew?: boolean } = {}): OverLink {
  let redis: Redis
  let link: Link
  let far: Space
  let near: Space
  const open = async (): Promise<void> => {
    far = await openSpace(link.url)
    near = await openSpace(redis.url)
  }
  const close = async (): Promise<void> => void (await Promise.all([far.close(), near.close()]))
  const connected = async (): Promise<boolean> => (await far.engine.health()).connected
  const isBack = (): Promise<void> => until(connected, 'the link is back')

  beforeAll(async () => {
    redis = await startRedis(options)
    link = await startLink(redis.port)
    if (!anew) await open()
  })
  if (anew) beforeEach(open)
  afterEach(async () => {
    link.delay(0)
    link.heal()
    await link.accept()
  })
  afterAll(async () => {
    await close()
    await link.close()
    await redis.stop()
  })

  return {
    get redis() {
      return redis
    },
    get link() {
      return link
    },
    get far() {
      return far
    },
    get near() {
      return near
    },
    async away() {
      await link.refuse()
      link.cut()
      await until(async () => !(await connected()), 'the link is gone')
    },
    async back() {
      await link.accept()
      await isBack()
    },
    isBack,
    close,
  }
}

/** The end of every fault test: faults off, drain, and then nothing is left in Redis. */
import { openSpace } from '../../src/open.js'
import type { Cluster } from '../support/cluster.js'
import { isConstantKey } from '../support/constant-keys.js'
import { dropUnwritten, violations } from '../support/invariants.js'
import type { Redis } from '../support/redis.js'
import { until } from '../support/until.js'

const isLeft = (key: string): boolean => key !== '' && !isConstantKey(key)

/** Resolves when the dead are buried and nothing but the constant keys is on any primary; else says what is left. */
export async function nothingIsLeftOn(cluster: Cluster, timeoutMs = 10_000): Promise<void> {
  const keys = async (): Promise<string[]> => {
    const all = await Promise.all((await cluster.primaries()).map((node) => node.cli('KEYS', '*')))
    return all.flatMap((each) => each.split('\n')).filter(isLeft)
  }
  const buried = (left: readonly string[], next: string): boolean =>
    left.every((key) => !/\}:presence:/.test(key) || key.endsWith(next))
  const next = await openSpace(cluster.url)
  try {
    await until(async () => buried(await keys(), next.presence), 'nobody else is there', timeoutMs)
  } finally {
    await next.close()
  }
  await until(
    async () => {
      const left = await keys()
      if (left.length > 0) throw new Error(`left on the Cluster after the drain: ${left.slice(0, 20).join(', ')}`)
      return true
    },
    'nothing is left on the Cluster',
    timeoutMs,
  )
}

/** Resolves when the dead are buried, every process has left and nothing but the constant keys is there; else says what is left. */
export async function nothingIsLeft(redis: Pick<Redis, 'url' | 'cli'>, timeoutMs = 5_000): Promise<void> {
  // Whoever died last is noticed by who comes next.
  const next = await openSpace(redis.url)
  try {
    await until(
      async () => (await redis.cli('ZCARD', '{ts:default}:presences')) === '1',
      'nobody else is there',
      timeoutMs,
    )
    await until(async () => {
      const wrong = await violations(redis)
      if (wrong.length > 0) throw new Error(wrong.join('\n'))
      return true
    }, 'what is left is in order')
    await dropUnwritten(redis)
  } finally {
    await next.close()
  }
  let left: string[] = []
  try {
    await until(
      async () => {
        const keys = await redis.cli('KEYS', '*')
        left = keys.split('\n').filter(isLeft)
        return left.length === 0
      },
      'nothing is left in Redis',
      timeoutMs,
    )
  } catch (cause) {
    throw new Error(`left in Redis (${next.presence} looked last) after the drain: ${left.slice(0, 20).join(', ')}`, {
      cause,
    })
  }
}

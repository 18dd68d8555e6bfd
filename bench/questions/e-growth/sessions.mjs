/** The cost of loading and saving a session while others are resident; these are copies that Redis makes of saved ones. */
import { Redis } from 'ioredis'
import { inTurns } from './sizes.mjs'

export const GROUP = 'load + save of a session of 1 KiB, 16 in flight, by resident sessions'
const SIZES = [1_000, 10_000, 100_000, 1_000_000]
const PER_CALL = 2_000
const WARM_UP_MS = 300

/** KEYS: the copied session, the list of ends. ARGV: prefix of the keys of sessions, first number, count, score. */
const COPY = `for n = tonumber(ARGV[2]), ARGV[2] + ARGV[3] - 1 do
  local id = ('copy-%d-0123456789abcdef'):format(n)
  redis.call('COPY', KEYS[1], ARGV[1] .. id)
  redis.call('ZADD', KEYS[2], ARGV[4], id)
end`

async function fill(url, name, count) {
  const control = new Redis(url)
  try {
    const ends = `{ts:${name}}:sessions`
    const [id, score] = await control.zrange(ends, 0, 0, 'WITHSCORES')
    const [, keys] = await control.scan('0', 'MATCH', `{ts:${name}}:*${id}`, 'COUNT', 10_000_000)
    if (!id || keys.length !== 1)
      throw new Error(`the layout of sessions has changed: ${keys.length} keys of a session`)
    const prefix = keys[0].slice(0, -id.length)
    for (let from = 0; from < count; from += PER_CALL) {
      await control.eval(COPY, 2, keys[0], ends, prefix, from, Math.min(PER_CALL, count - from), score)
    }
  } finally {
    control.disconnect()
  }
}

export function sessions(bench) {
  const { children, redis, seconds, quick } = bench
  return inTurns(bench, GROUP, quick ? SIZES.slice(0, 2) : SIZES, async (size) => {
    const name = `sessions-${size}`
    const terms = { library: 'takespace', inFlight: 16, kilobytes: 1, warmUpMs: WARM_UP_MS, seconds }
    const driver = await children.fork('sessions', 'session-store', { ...terms, url: redis.url, name })
    await fill(redis.url, name, size)
    return { driver, roles: { client: [driver.pid] } }
  })
}

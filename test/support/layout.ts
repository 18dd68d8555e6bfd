/** The layout of the data of a space, as its counters have it. */
import { keysOf } from '../../src/engines/redis/keys.js'
import type { Redis } from './redis.js'

const READ = "local m = cmsgpack.unpack(redis.call('GET', KEYS[1])) return m.layout .. ' ' .. tostring(m.converting)"

/** Returns the layout; the data are converted in slices while `isConverting`. */
export async function layoutOf(
  redis: Pick<Redis, 'cli'>,
  name = 'default',
): Promise<{ layout: number; isConverting: boolean }> {
  const [layout, converting] = (await redis.cli('EVAL', READ, '1', keysOf(name).counters)).split(' ')
  return { layout: Number(layout), isConverting: converting !== 'nil' }
}

const WRITE = `
local m = cmsgpack.unpack(redis.call('GET', KEYS[1]))
m.sum = m.sum + ARGV[1] - m.layout
m.layout = tonumber(ARGV[1])
redis.call('SET', KEYS[1], cmsgpack.pack(m))`

/** Makes it a space of another layout, as if a process of another release had made it. */
export async function setLayout(redis: Pick<Redis, 'cli'>, layout: number, name = 'default'): Promise<void> {
  await redis.cli('EVAL', WRITE, '1', keysOf(name).counters, String(layout))
}

/** A batch takes effect once, however often and in whatever order it arrives, and whatever the library has forgotten meanwhile. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { LIBRARY_SOURCE, LIBRARY_VERSION } from '../../src/engines/redis/library.generated.js'
import { MODE, OUTCOME, REPLY } from '../../src/engines/redis/protocol.js'
import { type Redis, startRedis } from '../support/redis.js'

const PROCESS = 'AaInLcsTdb2TBDmEzvtL1A'
const ANOTHER = 'AaInLcsTdb2TBDmEzvtL2A'
const NAME = `takespace_${LIBRARY_VERSION}`
const DONE = 'k'

let redis: Redis
let run: string
let space = 0
/** A process that listens to no channel has gone. */
let listening: Socket
let written = 0
beforeAll(async () => {
  redis = await startRedis()
  run = /run_id:(\w+)/.exec(await redis.cli('INFO', 'server'))![1]!
  await load()
})
afterAll(() => redis.stop())
beforeEach(async () => {
  space++
  listening = connect(redis.port, '127.0.0.1')
  listening.write(`SSUBSCRIBE ${[PROCESS, ANOTHER].map((of) => `{ts:${space}}:pushes:${of}`).join(' ')}\r\n`)
  await once(listening, 'data')
  await batch(0, MODE.join)
})
afterEach(() => {
  listening.destroy()
})

const load = (): Promise<string> =>
  redis.cli('FUNCTION', 'LOAD', 'REPLACE', `#!lua name=${NAME}\n${LIBRARY_SOURCE.replaceAll('VERSION_', `${NAME}_`)}`)

/** Returns the characters of the reply: one for each operation, or why the batch did not run. */
async function batch(number: number, mode: string, operations: readonly string[] = [], presence = PROCESS) {
  const call = [`${NAME}_batch`, '1', `{ts:${space}}:m`, presence, String(number), run, mode, '.n']
  return (await redis.cli('FCALL', ...call, ...operations)).split('\n')[0]
}

/** Sends a batch that writes one entry, under an id of its own each time. */
const write = (number: number, mode: string = MODE.run) =>
  batch(number, mode, ['write', '1', '30000 0 e.|@Task|;|', `id${written++}`, '01234567{}'])

const entries = async (): Promise<number> => Number(await redis.cli('HLEN', `{ts:${space}}:entries`))

/** What makes a library forget what it knows of a process. */
const FORGETS: Readonly<Record<string, () => Promise<unknown>>> = {
  nothing: async () => {},
  'another process that joins and offers': async () => {
    await batch(0, MODE.join, [], ANOTHER)
    await batch(1, MODE.run, ['offer', '1', 'o1', '4', 'Other\tOther\t\t\t', ''], ANOTHER)
  },
  'a library that is loaded anew': async () => {
    await redis.cli('FUNCTION', 'FLUSH')
    await load()
  },
}

test.each(Object.entries(FORGETS))(
  'sent again after %s, a batch has the reply of the first time',
  async (_, forget) => {
    for (const number of [1, 2, 3]) expect(await write(number)).toBe(DONE)
    await forget()
    for (const number of [3, 1, 2]) expect(await write(number)).toBe(DONE)
    expect(await write(3, MODE.askOnly)).toBe(DONE)
    expect(await entries()).toBe(3)
  },
)

test.each(Object.entries(FORGETS))('a batch that is overtaken runs once, also after %s', async (_, forget) => {
  expect(await write(1)).toBe(DONE)
  expect(await write(4)).toBe(DONE)
  await forget()
  expect(await write(2, MODE.askOnly)).toBe('!UNRECORDED')
  expect(await write(2)).toBe(DONE)
  await forget()
  for (const number of [2, 4, 3]) expect(await write(number)).toBe(DONE)
  await forget()
  for (const number of [5, 4, 3, 2, 5]) expect(await write(number)).toBe(DONE)
  expect(await entries()).toBe(5)
})

test('a request whose outcome waits for its requester is not written again', async () => {
  const writeAgain = (number: number, id: string) =>
    batch(number, MODE.run, ['writeAgain', '1', '30000 0 e.|@Task|;|', id, '01234567{}'])
  expect(await writeAgain(1, 'gone')).toBe(DONE)
  expect(await entries()).toBe(1)
  await redis.cli('HSET', `{ts:${space}}:outcomes:${PROCESS}`, 'answered', OUTCOME.completed)
  expect(await writeAgain(2, 'answered')).toBe(DONE)
  expect(await entries()).toBe(1)
})

/** An operation that writes one entry with a large body; the second under a transaction that it begins. */
const LARGE = ['30000 0 e@|@Task|;|', 'large', '01234567'] as const
const WRITES: Readonly<Record<string, readonly string[]>> = {
  write: ['write', '1', ...LARGE],
  writeAgain: ['writeAgain', '1', ...LARGE],
  writeAll: ['writeAll', '1', '1', ...LARGE],
  writeUnder: ['begin', '1', '1', '30000', 'writeUnder', '1', `${PROCESS}.1`, '1', ...LARGE],
  commit: ['begin', '1', '1', '30000', 'commit', '1', `${PROCESS}.1`, '1', ...LARGE],
}

test.each(Object.entries(WRITES))(
  '%s: an entry whose large body a failover has lost is refused',
  async (_, operation) => {
    expect(await batch(1, MODE.run, operation)).toMatch(new RegExp(`${REPLY.failed}$`))
    expect(await entries()).toBe(0)
    await redis.cli('SET', `{ts:${space}}:body:large`, 'a body')
    expect(await batch(2, MODE.run, operation.slice(operation[0] === 'begin' ? 4 : 0))).toBe(DONE)
    expect(await entries()).toBe(1)
  },
)

test('a process that is declared dead runs nothing, whatever was known of it', async () => {
  expect(await write(1)).toBe(DONE)
  await batch(0, MODE.join, [], ANOTHER)
  expect(await batch(1, MODE.run, ['declareDead', '1', PROCESS], ANOTHER)).toBe(DONE)
  expect(await write(2)).toBe('!PRESENCE')
  await batch(0, MODE.join)
  expect(await write(2)).toBe(DONE)
  expect(await entries()).toBe(2)
})

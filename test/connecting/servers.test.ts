/** Servers that a space is opened on: sockets and databases are what the address says; unsuitable servers are named. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { AnyEntry, defineEntry, openSpace } from '../../src/index.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, type RedisOptions, startRedis } from '../support/redis.js'
import { startSentinel } from '../support/sentinel.js'
import { until } from '../support/until.js'

const Job = defineEntry<{ id: number }>('Job')

const folder = mkdtempSync(join(tmpdir(), 'takespace-servers-'))
const running: Redis[] = []
const start = async (options: RedisOptions = {}): Promise<Redis> => {
  const redis = await startRedis(options)
  running.push(redis)
  return redis
}
afterEach(async () => {
  for (const redis of running.splice(0)) await redis.stop()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Returns what openSpace and `takespace doctor` say. */
async function refusals(url: string): Promise<{ code: string; message: string; doctor: string }> {
  const error = await openSpace(url, { connectTimeoutMs: 1_500 }).catch((reason) => reason)
  const doctor = startProcess(['takespace', 'doctor', '--url', url])
  expect(await doctor.exited).toMatchObject({ code: 1 })
  const failing = doctor
    .output()
    .split('\n')
    .filter((line) => line.startsWith('fail'))
  return { code: error.code, message: error.message, doctor: failing.join('\n') }
}

const keyspace = async (redis: Redis): Promise<string> => (await redis.cli('INFO', 'keyspace')).replace(/keys=.*/g, '')

describeOnRedis('the database of an address', () => {
  test('is the one that is used, in both forms', async () => {
    const redis = await start({ args: ['--databases', '4'] })
    for (const url of [`${redis.url}/3`, `${redis.url}?db=3`]) {
      await using space = await openSpace(url)
      await space.write(Job({ id: 3 }))
      // Over the connection for bodies, too.
      const Large = defineEntry<{ text: string }>('Large')
      await space.write(Large({ text: 'x'.repeat(100_000) }))
      expect((await space.take(Large)).text).toHaveLength(100_000)
    }
    expect(await keyspace(redis)).toMatch(/db3:/)
    expect(await keyspace(redis)).not.toMatch(/db[012]:/)
  })

  test.each([4, 99])('%d of 4 is refused by its number, and nothing is written elsewhere', async (number) => {
    const redis = await start({ args: ['--databases', '4'] })
    const { code, message, doctor } = await refusals(`${redis.url}/${number}`)
    expect(code).toBe('REDIS_UNSUITABLE')
    expect(message).toContain(`has no database ${number}`)
    expect(doctor).toContain(`has no database ${number}`)
    expect(await keyspace(redis)).not.toMatch(/db/)
  })

  test('that is gone after a restart is refused on the next link, and comes back with it', async () => {
    const args = ['--databases', '4']
    const redis = await start({ args })
    const reasons: string[] = []
    const warn = ({ reason }: { reason?: string }): void => void reasons.push(reason ?? '')
    const nothing = (): void => {}
    const logger = { debug: nothing, info: nothing, error: nothing, warn: warn as () => void }
    await using space = await openSpace(`${redis.url}/3`, { logger })
    args[1] = '2'
    await redis.restart()
    const written = space.write(Job({ id: 1 })).catch((error) => error.code)
    await until(() => reasons.some((reason) => /has no database 3/.test(reason)), 'the database is missed')
    expect(await keyspace(redis)).not.toMatch(/db/)
    args[1] = '4'
    await redis.restart()
    await written
    await until(
      () =>
        space.write(Job({ id: 2 })).then(
          () => true,
          () => false,
        ),
      'the space is back',
    )
    expect(await keyspace(redis)).not.toMatch(/db0:/)
  })
})

describeOnRedis('a unix socket', () => {
  let redis: Redis
  const socket = join(folder, 'redis socket')
  beforeAll(async () => {
    redis = await startRedis({ args: ['--unixsocket', socket, '--requirepass', 'right/?'] })
  })
  afterAll(() => redis.stop())

  test('with a password and a database', async () => {
    const path = socket.replaceAll(' ', '%20')
    await using space = await openSpace(`unix://default:right%2F%3F@${path}?db=2`)
    await using other = await openSpace(`unix://:right%2F%3F@${path}?db=2`)
    await space.write(Job({ id: 1 }))
    expect(await other.take(Job, { waitMs: 0 })).toMatchObject({ id: 1 })
  })

  test('on which nobody listens is named', async () => {
    const path = join(folder, 'nobody.sock')
    await expect(openSpace(`unix://${path}`, { connectTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'SPACE_UNREACHABLE',
      message: expect.stringContaining(path),
    })
  })
})

describeOnRedis('an unsuitable server', () => {
  test('a replica is named with its master', async () => {
    const master = await start()
    const replica = await start({ args: ['--replicaof', '127.0.0.1', String(master.port)] })
    const { code, message, doctor } = await refusals(replica.url)
    expect(code).toBe('REDIS_UNSUITABLE')
    for (const text of [message, doctor]) expect(text).toContain(`a replica of 127.0.0.1:${master.port}`)
  })

  test('a node of a cluster without slots, and one that lacks the slot of the space', async () => {
    const args = ['--cluster-enabled', 'yes', '--cluster-require-full-coverage', 'no']
    const node = await start({ args })
    const unready = await refusals(node.url)
    expect(unready.code).toBe('SPACE_UNREACHABLE')
    for (const text of [unready.message, unready.doctor]) expect(text).toMatch(/CLUSTERDOWN|cluster .* does not serve/)

    const other = await start({ args })
    const slot = Number(await node.cli('CLUSTER', 'KEYSLOT', '{ts:default}:m'))
    await other.cli('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await node.cli('CLUSTER', 'MEET', '127.0.0.1', String(other.port))
    await until(async () => (await node.cli('CLUSTER', 'SLOTS')).includes(String(other.port)), 'the nodes have met')
    await until(async () => /cluster_state:ok/.test(await node.cli('CLUSTER', 'INFO')), 'the cluster is ready')
    const foreign = await refusals(node.url)
    expect(foreign.code).toBe('REDIS_UNSUITABLE')
    expect(foreign.message).toContain(`slot ${slot} of the space: give the address of 127.0.0.1:${other.port}`)
    expect(foreign.doctor).toContain(`MOVED ${slot} 127.0.0.1:${other.port}`)
    // All keys of a space are in one slot, so the node that has the slot can hold the space.
    await using space = await openSpace(other.url)
    await space.write(Job({ id: 1 }))
    expect(await space.takeIfExists(AnyEntry)).not.toBeNull()
  })

  test.each([
    ['FUNCTION', 'FUNCTION'],
    ['FCALL', 'FCALL'],
    ['ZADD', 'ZADD'],
    ['HRANDFIELD', 'HRANDFIELD'],
  ])('one that lacks %s is named with the command', async (command, says) => {
    const redis = await start({ args: ['--rename-command', command, 'hidden'] })
    const { code, message } = await refusals(redis.url).catch(() => ({ code: '', message: '' }))
    expect(code).toBe('REDIS_UNSUITABLE')
    expect(message).toContain(`It lacks ${says}`)
  })

  test('a Sentinel is named', async () => {
    const master = await start()
    const terms = { primaryPort: master.port, quorum: 1, downAfterMs: 1_000, failoverTimeoutMs: 3_000 }
    const sentinel = await startSentinel(terms)
    try {
      const { code, message, doctor } = await refusals(`redis://127.0.0.1:${sentinel.port}`)
      expect(code).toBe('REDIS_UNSUITABLE')
      for (const text of [message, doctor]) expect(text).toMatch(/is a Sentinel.*redis\+sentinel:\/\//)
    } finally {
      await sentinel.stop()
    }
  })
})

failOnLeaks()

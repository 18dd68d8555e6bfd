/** A server that cannot serve now: what is called meanwhile waits and runs once, and no client hears a 500. */
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { REACTIONS, reactionTo } from '../../src/engines/redis/wire/reactions.js'
import { defineEntry, isSpaceError, openSpace, type Space } from '../../src/index.js'
import { ask, serving } from '../gateway/serving.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const Job = defineEntry<{ id: number; text?: string }>('Job')
const LARGE = 'x'.repeat(50_000)
/** Nobody listens there. */
const NOWHERE = ['127.0.0.1', '1']

interface State {
  /** What the server replies, to a write or also to a read. */
  readonly reply: keyof typeof REACTIONS
  /** Default: in memory alone. */
  readonly appendonly?: boolean
  /** `args`: those of the next start. */
  begin(redis: Redis, args: string[]): Promise<unknown>
  end(redis: Redis): Promise<unknown>
}

/** A save into a folder that is gone fails. */
async function failToSave(redis: Redis): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'takespace-gone-'))
  await redis.cli('CONFIG', 'SET', 'dir', folder)
  rmSync(folder, { recursive: true })
  await redis.cli('CONFIG', 'SET', 'save', '3600 1')
  await redis.cli('BGSAVE')
  await until(async () => /rdb_last_bgsave_status:err/.test(await redis.cli('INFO', 'persistence')), 'the save fails')
}

/** So many keys the server reads after a restart, each with a pause. It answers clients once in 1,024 keys. */
const WRITE_KEYS = 'for i = 1, 4096 do redis.call("SET", "key:" .. i, "x") end'
const LOAD_DELAY_US = '400'
let restarted: Promise<void> | undefined

const STATES: Readonly<Record<string, State>> = {
  'with too few replicas': {
    reply: 'NOREPLICAS',
    begin: (redis) => redis.cli('CONFIG', 'SET', 'min-replicas-to-write', '1'),
    end: (redis) => redis.cli('CONFIG', 'SET', 'min-replicas-to-write', '0'),
  },
  'that cannot write to its disk': {
    reply: 'MISCONF',
    begin: failToSave,
    end: (redis) => redis.cli('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no'),
  },
  'that has become a replica': {
    reply: 'READONLY',
    begin: (redis) => redis.cli('REPLICAOF', ...NOWHERE),
    end: (redis) => redis.cli('REPLICAOF', 'NO', 'ONE'),
  },
  'that has lost its primary': {
    reply: 'MASTERDOWN',
    begin: async (redis) => {
      await redis.cli('CONFIG', 'SET', 'replica-serve-stale-data', 'no')
      await redis.cli('REPLICAOF', ...NOWHERE)
    },
    end: (redis) => redis.cli('REPLICAOF', 'NO', 'ONE'),
  },
  'that reads its data after a restart': {
    reply: 'LOADING',
    appendonly: true,
    async begin(redis, args) {
      await redis.cli('EVAL', WRITE_KEYS, '0')
      args.push('--key-load-delay', LOAD_DELAY_US)
      restarted = redis.restart()
    },
    end: () => restarted as Promise<void>,
  },
}

describeOnRedis('a server', () => {
  let redis: Redis
  const opened: Space[] = []
  const open = async (): Promise<Space> => {
    const space = await openSpace(redis.url)
    opened.push(space)
    return space
  }
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((space) => space.close()))
    await redis.stop()
  })
  const isReplying = (word: string): Promise<void> =>
    until(async () => {
      const probes = [redis.cli('SET', 'probe', '1'), redis.cli('GET', 'probe')]
      const replies = await Promise.all(probes.map((probe) => probe.catch((error: Error) => error.message)))
      return replies.some((reply) => reply.startsWith(word))
    }, `the server replies ${word}`)

  test.each(Object.entries(STATES))('%s: calls wait, run once, and no client hears a 500', async (_what, state) => {
    const args = ['--enable-protected-configs', 'yes']
    redis = await startRedis({ args, appendonly: state.appendonly ?? false })
    const space = await open()
    const other = await open()
    const { gateway, port } = await serving(() => ({ body: Buffer.from('done') }), { space })
    const waiting = other.take(Job.template({ id: 0 }))
    await state.begin(redis, args)
    await isReplying(state.reply)
    const answer = ask(port)
    const posted = ask(port, { method: 'POST', body: 'x' })
    const written = [0, 1, 2].map((id) => space.write(Job({ id, ...(id === 1 && { text: LARGE }) })))
    const done = Promise.allSettled([answer, posted, ...written])
    await state.end(redis)
    expect(await answer).toMatchObject({ status: 200, text: 'done' })
    expect(await posted).toMatchObject({ status: 200, text: 'done' })
    await Promise.all(written)
    expect(await waiting).toMatchObject({ id: 0 })
    expect(await other.takeAll([Job], { max: 9 })).toHaveLength(2)
    await done
    await gateway.stop()
  })

  test('that goes on refusing: the call fails with the words of the server as its cause, a client hears 503', async () => {
    redis = await startRedis()
    const space = await open()
    const { gateway, port } = await serving(() => ({}), { space })
    await redis.cli('CONFIG', 'SET', 'min-replicas-to-write', '1')
    const [answer, error] = await Promise.all([ask(port), space.write(Job({ id: 1 })).catch((error) => error)])
    expect(answer).toMatchObject({ status: 503, text: expect.stringContaining('SPACE_UNREACHABLE') })
    expect(isSpaceError(error, 'SPACE_UNREACHABLE') && error.message).toContain(REACTIONS.NOREPLICAS!.says)
    expect((error as Error).cause).toMatchObject({ message: expect.stringMatching(/^NOREPLICAS/) })
    await redis.cli('CONFIG', 'SET', 'min-replicas-to-write', '0')
    await gateway.stop()
  })

  test('that becomes a replica while its replicas are asked: the call ends, and the next one works', async () => {
    redis = await startRedis()
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(redis.port)] })
    try {
      await until(async () => /state=online/.test(await redis.cli('INFO', 'replication')), 'the replica follows')
      await using space = await openSpace(redis.url, { durability: 'replicated:1' })
      await space.write(Job({ id: 1 }))
      replica.pause()
      const held = space.write(Job({ id: 2 })).then(
        () => 'written',
        ({ code }) => code,
      )
      const isAsked = async (): Promise<boolean> => /blocked_clients:1/.test(await redis.cli('INFO', 'clients'))
      await until(isAsked, 'the replicas are asked')
      await redis.cli('REPLICAOF', ...NOWHERE)
      await redis.cli('REPLICAOF', 'NO', 'ONE')
      replica.resume()
      expect(['written', 'OUTCOME_UNKNOWN']).toContain(await held)
      await until(async () => {
        const code = await space.write(Job({ id: 3 })).then(
          () => 'written',
          ({ code }) => code,
        )
        return code === 'written'
      }, 'a write is confirmed again')
    } finally {
      await replica.stop()
    }
  })
})

test('an error reply is known by its first word alone', () => {
  expect(reactionTo(new Error('MOVED 1 127.0.0.1:2'))).toBe(REACTIONS.MOVED)
  expect(reactionTo(new Error('MOVEDX 1'))).toBeUndefined()
  expect(reactionTo(new Error('constructor x'))).toBeUndefined()
})

failOnLeaks()

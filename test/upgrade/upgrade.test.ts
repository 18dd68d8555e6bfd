/**
 * An upgrade under load, from the release with layout 4 to this one: newer processes start beside the older ones, the older ones leave one
 * by one, and the space is raised when the last of them has left. `npm run test:upgrade`; without the older release it is skipped.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { SHARED } from '../../src/engines/redis/protocol.js'
import { defineEntry } from '../../src/entry.js'
import { openSpace } from '../../src/open.js'
import { Space } from '../../src/space.js'
import { form } from '../faults/form.js'
import { startMixed } from '../faults/mixed.js'
import { verdictOf } from '../faults/verdict.js'
import { moveAll, openAccounts, outcomeOf } from '../partitions/accounts.js'
import { ledgerApp } from '../support/app.js'
import { violations } from '../support/invariants.js'
import { layoutOf } from '../support/layout.js'
import { failOnLeaks } from '../support/leaks.js'
import { partitionedOnRedis } from '../support/partitioned.js'
import type { Process } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { startedCommands } from '../support/started.js'
import { until } from '../support/until.js'

type Older = typeof import('../../src/index.js')

const DIST = process.env.OLDER_RELEASE
const Task = defineEntry<{ n: number }>('Task')
const ENTRIES = 200
const SESSIONS = 50
const SESSION_TERMS = { leaseMs: 600_000, isNew: true, removed: [], lock: '', maxBytes: 10_000 } as const

;(DIST === undefined ? describe.skip : describe)('an upgrade from the release with layout 4', () => {
  let redis: Redis
  let older: Older
  beforeAll(async () => {
    redis = await startRedis({ appendonly: true })
    older = (await import(join(DIST!, 'src', 'index.js'))) as Older
  })
  afterAll(() => redis.stop())

  const OLD = join(DIST ?? '', 'src', 'cli', 'main.js')
  const NEW = 'takespace'

  const start = startedCommands(() => redis.url)
  const gateway = async (cli: string): Promise<[Process, string]> => {
    const started = start(cli, ['gateway', '--port', '0'])
    return [started, (await started.line(/"url":"([^"]+)"/))[1] as string]
  }
  const app = ledgerApp()
  afterAll(() => app.remove())
  const worker = async (cli: string): Promise<Process> => {
    const started = start(cli, ['worker', app.file, '--concurrency', '8'], app.env)
    await started.line(/a worker process is ready/)
    return started
  }
  const ended = async (process: Process): Promise<void> => {
    process.kill('SIGTERM')
    expect(await process.exited).toEqual({ code: 0, signal: null })
  }
  const layout = async (name?: string): Promise<number> => (await layoutOf(redis, name)).layout

  test('under load: no request fails, no entry and no session is lost, and the older release is refused in the end', async () => {
    const [oldGateway, oldUrl] = await gateway(OLD)
    const oldWorkers = [await worker(OLD), await worker(OLD)]
    const program = await older.openSpace(redis.url)
    const OlderTask = older.defineEntry<{ n: number }>('Task')
    const all = Array.from({ length: ENTRIES }, (_, n) => n)
    await program.writeAll(all.map((n) => OlderTask({ n })))
    for (let n = 0; n < SESSIONS; n++)
      await program.engine.sessions.save(`user${n}`, { ...SESSION_TERMS, set: [['cart', `"${n}"`]] })
    expect(await layout()).toBe(4)

    // Its requests have other URLs than those of the other load.
    const early = startMixed({ urls: [oldUrl] }, { workMs: 40 })
    const [newGateway, newUrl] = await gateway(NEW)
    const load = startMixed({ urls: [newUrl] })
    const go = async (): Promise<void> => {
      const enough = load.answered + form(60, 600)
      await until(() => load.answered >= enough, 'requests are answered')
    }
    await go()
    const newWorkers = [await worker(NEW)]
    await go()
    await using space = await openSpace(redis.url)
    const taken = (await space.takeAll([Task], { max: ENTRIES / 2, waitMs: 0 })).map(({ n }) => n)
    for (const leaving of oldWorkers) {
      await ended(leaving)
      newWorkers.push(await worker(NEW))
      await go()
    }
    const answers = [...(await early.stop())]
    await ended(oldGateway)
    await go()
    // The program of the older release is the last.
    expect(await layout()).toBe(4)
    taken.push(
      ...(await program.takeAll([OlderTask], { max: 10, waitMs: 0 })).map((entry) => (entry as { n: number }).n),
    )
    await program.close()
    await until(async () => (await layout()) === SHARED.layout, 'the space is raised')
    await go()
    answers.push(...(await load.stop()))
    const verdict = verdictOf(answers, app.runs())
    expect([verdict.failed, verdict.twice]).toEqual([0, 0])
    expect(new Set(app.runs().map(({ pid }) => pid)).size).toBe(oldWorkers.length + newWorkers.length)

    taken.push(...(await space.takeAll([Task], { max: ENTRIES, waitMs: 0 })).map(({ n }) => n))
    expect(taken).toEqual(all)
    for (let n = 0; n < SESSIONS; n++)
      expect((await space.engine.sessions.load(`user${n}`))?.attributes.get('cart')?.text).toBe(`"${n}"`)
    await expect(older.openSpace(redis.url)).rejects.toMatchObject({ code: 'DATA_NEWER' })
    const refused = start(OLD, ['worker', app.file], app.env)
    expect((await refused.exited).code).toBeGreaterThan(0)
    expect(refused.output()).toMatch(/newer takespace\. Upgrade this process/)
    await until(async () => (await violations(redis)).length === 0, 'the space is in order')
    for (const process of [...newWorkers, newGateway]) await ended(process)
  })

  test('transactions over several partitions wait until the last older process has left', async () => {
    const names = ['parts/0', 'parts/1', 'parts/2']
    const before = await Promise.all(names.map((name) => older.openSpace(redis.url, { name })))
    const space = new Space(await partitionedOnRedis(redis.url, names), 'redis')
    await openAccounts(space, 'one')
    const move = (): Promise<void> => space.transact((tx) => moveAll(space, tx, 'one'), { span: 'all' })
    while (before.length > 0) {
      await expect(move()).rejects.toMatchObject({ code: 'OLDER_PROCESSES' })
      // That of the first partition, which only decides, leaves last.
      await before.pop()!.close()
      if (before.length === 1) break
    }
    await move()
    expect(await outcomeOf(space, 'one')).toBe('all')
    await before.pop()!.close()
    for (const name of names) await until(async () => (await layout(name)) === SHARED.layout, 'each is raised')
    await space.close()
  })

  test('a process of the older release that was taken for dead and comes back is refused, says so, and changes nothing', async () => {
    const name = ['--name', 'frozen']
    const frozen = start(OLD, ['worker', app.file, ...name], app.env)
    await frozen.line(/a worker process is ready/)
    await using space = await openSpace(redis.url, { name: 'frozen' })
    expect(await layout('frozen')).toBe(4)
    process.kill(-frozen.pid, 'SIGSTOP')
    // After the end of its lease.
    await until(async () => (await layout('frozen')) === SHARED.layout, 'the space is raised')
    await space.write(Task({ n: 1 }))
    process.kill(-frozen.pid, 'SIGCONT')
    await frozen.line(/newer takespace\. Upgrade this process/)
    expect(await space.take(Task)).toEqual({ n: 1 })
    expect(await violations(redis, 'frozen')).toEqual([])
  })
})

failOnLeaks()

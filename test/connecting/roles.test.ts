/** Least rights: each role does its work with exactly the rights that `takespace acl` prints, and needs each of them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { processesIn } from '../../src/control/processes.js'
import {
  createClient,
  createScheduler,
  defineEntry,
  entryInfo,
  lte,
  openSpace,
  ordered,
  type Space,
} from '../../src/index.js'
import { observeSpace } from '../../src/open.js'
import { SpaceSessionStore } from '../../src/session/index.js'
import { createWorker } from '../../workers/index.js'
import { describeOnRedis } from '../support/every-engine.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

const Job = defineEntry<{ id: number; text?: string }>('Job')
const Due = defineEntry<{ due: number }>('Due', { index: [ordered('due')] })
const LARGE = 'x'.repeat(100_000)

/** Rights that are missed when sessions are loaded, or BullMQ connects, and not at open. */
const NEEDED_LATER: Readonly<Record<string, readonly string[]>> = {
  gateway: [],
  worker: ['+mget'],
  program: ['+mget'],
  scheduler: ['+client|setname'],
}

const APP = `
import { Readable } from 'node:stream'
export default (req, res) => {
  if (req.url === '/stream') return Readable.from([Buffer.alloc(300_000), Buffer.alloc(300_000)]).pipe(res)
  let length = 0
  req.on('data', (chunk) => { length += chunk.length })
  req.on('end', () => res.end(req.url === '/large' ? 'y'.repeat(length) : String(length)))
}`

describeOnRedis('the rights of a role', () => {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-roles-'))
  const app = join(folder, 'app.mjs')
  writeFileSync(app, APP)
  let redis: Redis
  const processes: Process[] = []
  beforeAll(async () => {
    redis = await startRedis({ appendonly: true, appendfsync: 'always' })
  })
  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    await redis.cli('FUNCTION', 'FLUSH')
    await redis.cli('ACL', 'LOG', 'RESET')
    await redis.cli('CONFIG', 'RESETSTAT')
  })
  afterEach(async () => {
    for (const process of processes.splice(0)) {
      process.kill()
      await process.exited
    }
  })
  afterAll(async () => {
    await redis.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Makes the user that `takespace acl` prints, and returns its rights. */
  const grant = async (role: string, ...options: string[]): Promise<string[]> => {
    const printed = startProcess(['takespace', 'acl', role, ...options])
    expect((await printed.exited).code).toBe(0)
    const words = printed
      .output()
      .trim()
      .replace('>PASSWORD', '>secret')
      .match(/"[^"]*"|\S+/g)!
    await redis.cli(...words.map((word) => word.replaceAll('"', '')))
    return words.filter((word) => word.startsWith('+'))
  }
  const as = (role: string, path = ''): string => `redis://${role}:secret@127.0.0.1:${redis.port}${path}`
  const run = (role: string, ...args: string[]): Process => {
    const process = startProcess(['takespace', ...args], { env: { TAKESPACE_URL: as(role) } })
    processes.push(process)
    return process
  }
  const denied = async (): Promise<string> => redis.cli('ACL', 'LOG')
  /** The commands that have run since the statistics were reset, as rights. */
  const used = async (): Promise<Set<string>> =>
    new Set(
      Array.from(
        (await redis.cli('INFO', 'commandstats')).matchAll(/cmdstat_(\S+?):calls=/g),
        ([, name]) => `+${name}`,
      ),
    )

  const useSpace = async (space: Space): Promise<void> => {
    await space.write(Job({ id: 1, text: LARGE }))
    expect(await space.take(Job)).toMatchObject({ id: 1 })
    await using transaction = await space.begin()
    await space.write(Job({ id: 2 }), { tx: transaction })
    await transaction.commit()
    expect(await space.readIfExists(Job)).toMatchObject({ id: 2 })
    const store = new SpaceSessionStore({ space })
    const cookie = { originalMaxAge: 60_000 }
    for (const text of ['a', LARGE, 'b']) await store.set('sid', { cookie, text } as never)
    expect(await new Promise((resolve) => store.get('sid', (_error, found) => resolve(found)))).toMatchObject({
      text: 'b',
    })
  }

  test('of a gateway and of a worker serve requests of every shape', async () => {
    await grant('gateway')
    await grant('worker')
    const gateway = run('gateway', 'gateway', '--port', '0', '--max-bytes', '100000000')
    run('worker', 'worker', app)
    const [, port] = await gateway.line(/"url":"http:\/\/127.0.0.1:(\d+)/)
    const ask = async (path: string, options: RequestInit = {}): Promise<string> => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, options)
      expect(response.status).toBe(200)
      return response.text()
    }
    expect(await ask('/')).toBe('0')
    for (const body of ['x', LARGE]) {
      expect(await ask('/', { method: 'POST', body })).toBe(String(body.length))
      const headers = { 'idempotency-key': `key-${body.length}` }
      for (let i = 0; i < 2; i++)
        expect(await ask('/large', { method: 'POST', body, headers })).toHaveLength(body.length)
    }
    expect(await ask('/stream')).toHaveLength(600_000)
    const body = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 3; i++) controller.enqueue(Buffer.alloc(300_000))
        controller.close()
      },
    })
    expect(await ask('/', { method: 'POST', body, duplex: 'half' } as RequestInit)).toBe('900000')
    expect(await denied()).toBe('')
  })

  test('of a program use the space and its sessions, and know the durability', async () => {
    await grant('program', '--url', 'redis://h/2')
    await using space = await openSpace(as('program', '/2'))
    expect(space.durability).toBe('fsync')
    await useSpace(space)
    expect(await denied()).toBe('')
  })

  test('of a scheduler run tasks later and again', async () => {
    await grant('worker')
    await grant('scheduler')
    await using space = await openSpace(as('worker'))
    let runs = 0
    const failing = async (): Promise<number> => {
      runs++
      if (runs < 2) throw new Error('once more')
      return runs
    }
    await createWorker({ space, tasks: { failing } }).start()
    await using scheduling = await openSpace(as('scheduler'))
    await createScheduler({ space: scheduling }).start()
    const client = createClient({ space })
    const ticket = await client.enqueue('failing', undefined, { delayMs: 1, attempts: 3 })
    expect(await ticket.result()).toBe(2)
    await client.schedule('often', { everyMs: 100 }, 'failing', undefined)
    await until(() => runs >= 4, 'the schedule has fired')
    await client.unschedule('often')
    const late = await client.enqueue('failing', undefined, { delayMs: 60_000 })
    await late.cancel()
    expect(await denied()).toBe('')
  })

  test('of a scheduler on the keys of BullMQ are the commands of its scripts and its waits', async () => {
    const scripts = join(fileURLToPath(import.meta.resolve('bullmq')), '../../cjs/scripts')
    const texts = readdirSync(scripts).map((name) => readFileSync(join(scripts, name), 'utf8'))
    const named = texts.flatMap((text) => [...text.matchAll(/\b(?:rcall|redis\.call)\(["'](\w+)["']/g)])
    const inScripts = named.map(([, command]) => `+${command!.toLowerCase()}`).filter((right) => right !== '+time')
    const { rightsOf } = await import('../../src/engines/redis/roles.js')
    const selector = rightsOf('scheduler', { space: 'default', database: 0, loads: true }).at(-1)!
    const granted = selector.slice(1, -1).split(' ')
    expect(granted).toEqual(['~bull:*', ...[...new Set([...inScripts, '+bzpopmin', '+eval', '+evalsha'])].sort()])
  })

  test('of an observer list the space and the state of the server, and write nothing', async () => {
    await grant('program')
    await using space = await openSpace(as('program'))
    await using other = await openSpace(as('program'))
    for (const id of [1, 2, 3, 4]) await space.write(Job({ id, ...(id === 3 && { text: LARGE }) }))
    await space.write(Due({ due: 7 }))
    await using tx = await other.begin({ leaseMs: 600_000 })
    expect(await other.read(Job.template({ id: 2 }), { tx, waitMs: 0 })).not.toBeNull()
    const dying = await space.readIfExists(Job.template({ id: 4 }))
    await space.engine.deadLetter(entryInfo(dying!).id, 'failed')
    const waiting = await createClient({ space }).enqueue('of nobody', undefined)
    const before = await redis.cli('HLEN', '{ts:default}:entries')

    const rights = await grant('observer')
    await redis.cli('CONFIG', 'RESETSTAT')
    const observed = async (...args: string[]): Promise<string> => {
      const process = run('observer', ...args)
      expect([args, await process.exited, process.output()]).toEqual([
        args,
        { code: 0, signal: null },
        expect.anything(),
      ])
      return process.output()
    }
    expect(await observed('ls')).toMatch(/ Job\n/)
    const listed = await observed('ls', 'Job', '--json')
    const ids = listed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).fields.id)
    expect(ids).toEqual([1, 2, 3])
    expect(await observed('ls', 'Job', 'id=3')).toContain(LARGE)
    const dead = JSON.parse(await observed('dead', 'ls', '--json'))
    expect(dead).toMatchObject({ reason: 'failed', kind: 'Job' })
    expect(JSON.parse(await observed('dead', 'show', dead.id, '--json'))).toMatchObject({ id: dead.id })
    expect(await observed('doctor')).toMatch(/^warn +rights .*takespace acl/m)
    await using reading = await observeSpace(as('observer'), 'default')
    expect(await reading.engine.tickets.look(waiting.id)).toMatchObject({ state: 'waiting' })
    expect(await reading.readIfExists(Job.template({ id: 2 })).catch(({ code }) => code)).toBe('REDIS_REFUSED')
    for await (const job of reading.contents(Job.template({ id: 2 }))) expect(job).toEqual({ id: 2 })
    expect(reading.durability).toBe('fsync')
    expect(await reading.count(Due.template({ due: lte(7) }))).toBe(1)
    expect(await reading.explain(Due.template({ due: lte(7) }))).toMatchObject({ candidates: 1 })
    for await (const entry of reading.contents(Due.template({ due: lte(7) }))) expect(entry).toEqual({ due: 7 })
    const [transaction] = await reading.engine.transactions.list(10)
    expect(transaction).toMatchObject({ presence: other.presence, state: 'open', held: 1, kinds: ['Job'] })
    await expect(reading.engine.transactions.expire(transaction!.id)).rejects.toMatchObject({ code: 'REDIS_REFUSED' })
    expect(await reading.engine.tickets.settled('')).toEqual({ tickets: [], next: null })
    const commands = await used()
    expect(rights.filter((right) => !commands.has(right))).toEqual([])
    expect(await redis.cli('HLEN', '{ts:default}:entries')).toBe(before)
    expect(await redis.cli('ACL', 'LOG')).not.toMatch(/zrem|hdel|sadd/)
    await expect(openSpace(as('observer'))).rejects.toMatchObject({ code: 'REDIS_REFUSED' })
  })

  test('of an observer suffice for nodes, top, requests and a dashboard that is read only, which leave no trace', async () => {
    await grant('program')
    await grant('observer')
    await using space = await openSpace(as('program'))
    await createWorker({ space, app: (_req, res) => void res.end(), tasks: { double: (n: number) => 2 * n } }).start()
    const ticket = await createClient({ space }).enqueue('double', 21)
    expect(await ticket.result()).toBe(42)
    await until(async () => (await processesIn(space)).length === 1, 'the worker has told of itself')
    await redis.cli('ACL', 'LOG', 'RESET')

    const printed = async (...args: string[]): Promise<unknown> => {
      const process = run('observer', ...args)
      expect([await process.exited, process.output()]).toEqual([{ code: 0, signal: null }, expect.anything()])
      return JSON.parse(process.output())
    }
    const worker = { process: space.presence, roles: ['worker'], services: ['web'] }
    expect(await printed('nodes', '--json')).toMatchObject(worker)
    expect(await printed('top', '--once', '--json')).toMatchObject({
      rating: 'good',
      durability: 'fsync',
      services: [{ name: 'web', waiting: 0, workers: 1 }],
      processes: [worker],
    })
    expect((await run('observer', 'requests').exited).code).toBe(0)
    expect(await printed('ticket', ticket.id, '--json')).toMatchObject({ state: 'completed' })

    const dashboard = run('observer', 'dashboard', '--dashboard-read-only', '--dashboard-port', '0')
    const [, url] = await dashboard.line(/"url":"([^"]+)"/)
    const get = async (path: string): Promise<Response> => fetch(`${url}api/v1/${path}`)
    expect(await (await get('state')).json()).toMatchObject({ rating: 'good', processes: [worker] })
    expect(await (await get(`tickets/${ticket.id}`)).json()).toMatchObject({ state: 'completed' })
    for (const path of ['services', 'requests', 'tasks', 'dead', 'kinds', 'audit']) {
      expect([path, (await get(path)).status]).toEqual([path, 200])
    }
    // A scheduler is asked by a call, which is an entry.
    expect(await (await get('schedules')).json()).toMatchObject({ rule: 'REDIS_REFUSED' })
    const headers = {
      'content-type': 'application/json',
      origin: new URL(url!).origin,
      'sec-fetch-site': 'same-origin',
    }
    const body = JSON.stringify({ what: 'service', name: 'web' })
    expect((await fetch(`${url}api/v1/pause`, { method: 'POST', headers, body })).status).toBe(403)

    await redis.cli('CLIENT', 'KILL', 'USER', 'observer')
    await until(async () => (await get('state')).ok, 'the dashboard has connected again')
    expect(await redis.cli('ZCARD', '{ts:default}:presences')).toBe('1')
    expect(await denied()).toBe('')

    await using reading = await observeSpace(as('observer'), 'default')
    await expect(reading.write(Job({ id: 1 }))).rejects.toMatchObject({ code: 'REDIS_REFUSED' })
    await expect(reading.take(Job, { waitMs: 0 })).rejects.toMatchObject({ code: 'REDIS_REFUSED' })
    await expect(reading.begin()).rejects.toMatchObject({ code: 'REDIS_REFUSED' })
    expect(await denied()).toBe('')
  })

  test('of an observer do not extend to what has ended: it is left out of a list, and left to others to remove', async () => {
    await grant('program')
    await grant('observer')
    const space = await openSpace(as('program'))
    await space.write(Job({ id: 1, text: LARGE }), { leaseMs: 300 })
    await space.write(Job({ id: 2 }))
    // From here on nobody is there who would remove what ends.
    await space.close()
    const listed = async (): Promise<string> => {
      const list = run('observer', 'ls', 'Job')
      const { code } = await list.exited
      expect([list.output(), code]).toEqual([expect.not.stringMatching(/^takespace:/), 0])
      return list.output()
    }
    await until(async () => !(await listed()).includes('"id":1'), 'an entry has ended')
    expect(await listed()).toContain('"id":2')
    expect(await redis.cli('HLEN', '{ts:default}:entries')).toBe('2')
  })

  test('of a loader load the functions, for roles without that right', async () => {
    await grant('program', '--no-load')
    await expect(openSpace(as('program'))).rejects.toMatchObject({ message: expect.stringMatching(/takespace load/) })
    const rights = await grant('loader')
    await redis.cli('CONFIG', 'RESETSTAT')
    expect((await run('loader', 'load').exited).code).toBe(0)
    const commands = await used()
    expect(rights.filter((right) => !commands.has(right))).toEqual([])
    await using space = await openSpace(as('program'))
    await useSpace(space)
  })

  test.each(['gateway', 'worker', 'program', 'scheduler'])(
    'of a %s: each that is taken away is missed',
    async (role) => {
      const rights = await grant(role)
      const left: string[] = []
      for (const right of rights) {
        await redis.cli('ACL', 'LOG', 'RESET')
        if (right === '+function|load') await redis.cli('FUNCTION', 'FLUSH')
        await redis.cli('ACL', 'SETUSER', role, right.replace('+', '-'))
        const opened = await openSpace(as(role)).then(
          async (space) => {
            await space.close()
            return ''
          },
          ({ code, message }) => `${code} ${message}`,
        )
        await redis.cli('ACL', 'SETUSER', role, right)
        const isNamed =
          opened.startsWith('REDIS_REFUSED') && new RegExp(right.slice(1).split('|')[0]!, 'i').test(opened)
        if (!isNamed && !(await denied()).includes(right.slice(1))) left.push(right)
      }
      expect(left).toEqual(NEEDED_LATER[role])
    },
  )

  test.each(['gateway', 'worker', 'program', 'scheduler'])('of a %s end at the space', async (role) => {
    await grant(role, '--name', 'or*ders')
    await using space = await openSpace(as(role), { name: 'or*ders' })
    await space.write(Job({ id: 1 }))
    await expect(openSpace(as(role), { name: 'orders' })).rejects.toMatchObject({ code: 'REDIS_REFUSED' })
    await expect(openSpace(as(role), { name: 'or-ders' })).rejects.toMatchObject({ code: 'REDIS_REFUSED' })
    for (const command of [
      ['FLUSHALL'],
      ['FLUSHDB'],
      ['CONFIG', 'SET', 'maxmemory', '1'],
      ['ACL', 'LIST'],
      ['FUNCTION', 'FLUSH'],
      ['SHUTDOWN'],
      ['GET', 'another'],
      ['SET', '{ts:orders}:m', 'x'],
      ['SPUBLISH', 'another', 'x'],
    ]) {
      expect(await redis.cli('ACL', 'DRYRUN', role, ...command)).not.toBe('OK')
    }
  })
})

failOnLeaks()

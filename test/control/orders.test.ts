/** What operators are promised: each process tells of itself, obeys orders, and keeps to pauses. */
import type { ServerResponse } from 'node:http'
import { expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { spaceMeasures } from '../../src/admin/measures.js'
import { createClient } from '../../src/client.js'
import { Order } from '../../src/control/kinds.js'
import { order } from '../../src/control/orders.js'
import { pausesIn, pauseWork, resumeWork } from '../../src/control/pauses.js'
import { chosenOf, processesIn } from '../../src/control/processes.js'
import { AnyEntry, defineEntry } from '../../src/entry.js'
import { type Sent, sendRequest } from '../../src/request.js'
import { createScheduler } from '../../src/scheduler.js'
import type { Space } from '../../src/space.js'
import { type App, createWorker } from '../../workers/index.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { until } from '../support/until.js'
import { requestOf } from '../workers/turns.js'

const by = 'the test'

const send = (space: Space, target: string, service = 'web'): Sent =>
  sendRequest(space, requestOf({ target }), { service, timeoutMs: 20_000, priority: 0, repeatable: true })

/** An app whose requests stay open until they are let go. */
function gated() {
  const held: ServerResponse[] = []
  const app: App = (_req, res) => void held.push(res)
  return { app, held }
}

everyEngine('operators', (opened) => {
  test('each process tells of itself while it takes part, and no longer', async () => {
    const { space, other } = opened()
    const { app, held } = gated()
    const gateway = createGateway({ space, port: 0, services: [{ service: 'web' }] })
    const worker = createWorker({ space: other, app, tasks: { resize: () => 1 }, service: 'web', concurrency: 3 })
    await Promise.all([gateway.start(), worker.start()])
    const sent = send(space, '/')
    await until(() => held.length === 1, 'the request runs')
    await until(async () => (await processesIn(space)).length === 2, 'both have told of themselves')
    const processes = await processesIn(space)
    const of = (presence: string) => processes.find(({ process }) => process === presence)
    expect(of(space.presence)).toMatchObject({ roles: ['gateway'], services: ['web'], tasks: [], state: 'running' })
    const told = { pid: process.pid, roles: ['worker'], services: ['web'], tasks: ['resize'], capacity: 6 }
    expect(of(other.presence)).toMatchObject(told)
    expect(chosenOf(processes, { role: 'worker' })).toEqual([of(other.presence)])
    expect(chosenOf(processes, { process: other.presence.slice(0, 3) })).toEqual([])
    held[0]?.end()
    await sent.response
    await Promise.all([gateway.stop(), worker.stop()])
    expect(await processesIn(space)).toEqual([])
  })

  test('a process that is taken for dead is told of no more, and its orders are gone', async () => {
    const { space, other } = opened()
    await using worker = createWorker({ space: other, app: gated().app })
    await worker.start()
    await until(async () => (await processesIn(space)).length === 1, 'it has told of itself')
    await space.declareDead(other.presence)
    expect((await processesIn(space)).length).toBe(0)
  })

  test('programs meet none of it as entries of theirs', async () => {
    const { space, other } = opened()
    await using worker = createWorker({ space: other, app: gated().app })
    await worker.start()
    await until(async () => (await processesIn(space)).length === 1, 'it has told of itself')
    expect(await space.readIfExists(AnyEntry)).toBeNull()
  })

  testInOnePartition('what processes tell takes no room from programs, and has room in a full space', async () => {
    const { other, bounded } = opened()
    const full = await bounded({ maxEntries: 2 })
    await using worker = createWorker({ space: full, app: gated().app })
    await worker.start()
    await until(async () => (await processesIn(other)).length === 1, 'it has told of itself')
    const Job = defineEntry<{ n: number }>('Job')
    await full.writeAll([Job({ n: 1 }), Job({ n: 2 })])
    await expect(full.write(Job({ n: 3 }))).rejects.toMatchObject({ code: 'SPACE_FULL' })
    await order(full, full.presence, 'drain', { by })
    await until(async () => (await processesIn(other))[0]?.state === 'drained', 'it tells of that')
  })

  test('a worker that is drained takes nothing new, finishes what it holds, and takes again', async () => {
    const { space, other } = opened()
    const { app, held } = gated()
    await using worker = createWorker({ space: other, app, concurrency: 3 })
    await worker.start()
    const first = [send(space, '/1'), send(space, '/2')]
    await until(() => held.length === 2, 'both run')
    await order(space, other.presence, 'drain', { by })
    const later = Array.from({ length: 5 }, (_, i) => send(space, `/later/${i}`))
    await until(async () => (await processesIn(space))[0]?.state === 'draining', 'it drains')
    held[0]?.end()
    await first[0]!.response
    await other.readIfExists(AnyEntry)
    expect(held.length).toBe(2)

    // One is left in hand: there is room for two.
    await order(space, other.presence, 'resume', { by })
    await until(() => held.length === 4, 'two more run')
    await other.readIfExists(AnyEntry)
    expect(held.length).toBe(4)
    // The slot of the one that began before is free for another.
    held[1]?.end()
    await until(() => held.length === 5, 'a third runs')
    for (let done = 2; done < 7; done++) {
      await until(() => held.length > done, 'the next runs')
      await other.readIfExists(AnyEntry)
      expect(held.length).toBeLessThanOrEqual(done + 3)
      held[done]?.end()
    }
    const answers = await Promise.all([...first, ...later].map(({ response }) => response))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))

    await order(space, other.presence, 'drain', { by })
    await until(async () => (await processesIn(space))[0]?.state === 'drained', 'nothing is left')
  })

  test('of a paused service no worker takes, and of others each does', async () => {
    const { space, other } = opened()
    const early = gated()
    const late = gated()
    await using worker = createWorker({ space: other, app: early.app, service: ['web', 'api'] })
    await worker.start()
    expect(await pauseWork(space, 'service', 'web', { by })).toBe(true)
    expect(await pauseWork(space, 'service', 'web', { by })).toBe(false)
    await until(async () => !(await offers(space, 'web')), 'the worker knows')
    const waiting = send(space, '/web')
    const served = send(space, '/api', 'api')
    await until(() => early.held.length === 1, 'that of the other service runs')
    early.held[0]?.end()
    await served.response
    // One that starts later keeps to it as well.
    await using second = createWorker({ space, app: late.app, service: 'web' })
    await second.start()
    await space.readIfExists(AnyEntry)
    expect([early.held.length, late.held.length]).toEqual([1, 0])
    const paused = spaceMeasures(other).find(({ name }) => name === 'takespace_paused')
    expect(await paused?.samples()).toEqual([{ labels: { what: 'service', name: 'web' }, value: 1 }])
    expect(await pausesIn(space)).toEqual([expect.objectContaining({ what: 'service', name: 'web', by })])

    expect(await resumeWork(space, 'service', 'web')).toBe(true)
    expect(await resumeWork(space, 'service', 'web')).toBe(false)
    await until(() => early.held.length + late.held.length === 2, 'it runs')
    for (const res of [...early.held, ...late.held]) res.end()
    expect((await waiting.response).status).toBe(200)
  })

  test('a paused task waits while others of its worker are done', async () => {
    const { space, other } = opened()
    const done: string[] = []
    const tasks = { mail: () => void done.push('mail'), resize: () => void done.push('resize') }
    await using worker = createWorker({ space: other, tasks })
    await worker.start()
    await pauseWork(space, 'task', 'mail', { by })
    await until(async () => !(await offersTask(space, 'mail')), 'the worker knows')
    const client = createClient<typeof tasks>({ space })
    const mail = client.call('mail', undefined)
    await client.call('resize', undefined)
    expect(done).toEqual(['resize'])
    await resumeWork(space, 'task', 'mail')
    await mail
    expect(done).toEqual(['resize', 'mail'])
    const counted = await worker.measures.find(({ name }) => name === 'takespace_tasks_total')?.samples()
    const ran = counted
      ?.filter(({ value }) => value > 0)
      .map(({ labels: { task, ending }, value }) => [task, ending, value])
    expect(ran).toEqual([
      ['resize', 'done', 1],
      ['mail', 'done', 1],
    ])
  })

  test('a gateway refuses requests of a service that is paused so, and serves others', async () => {
    const { space, other } = opened()
    const gateway = createGateway({
      space,
      port: 0,
      services: [{ service: 'web' }, { service: 'api', pathPrefix: '/api' }],
    })
    await using worker = createWorker({ space: other, app: (_req, res) => void res.end('x'), service: ['web', 'api'] })
    await Promise.all([gateway.start(), worker.start()])
    await pauseWork(other, 'service', 'web', { refuses: true, by })
    await until(async () => (await fetch(gateway.url)).status === 503, 'the gateway knows')
    const refused = await fetch(gateway.url)
    expect(await refused.json()).toMatchObject({ status: 503, code: 'SERVICE_PAUSED' })
    expect((await fetch(`${gateway.url}/api/`)).status).toBe(200)
    await resumeWork(other, 'service', 'web')
    await until(async () => (await fetch(gateway.url)).status === 200, 'the gateway knows')
    await gateway.stop()
  })

  test('a drained gateway is not ready, and serves until load balancers have noticed', async () => {
    const { space, other } = opened()
    const gateway = createGateway({ space, port: 0, admin: { port: 0 } })
    await using worker = createWorker({ space: other, app: (_req, res) => void res.end('x') })
    await Promise.all([gateway.start(), worker.start()])
    const ready = async (): Promise<number> => (await fetch(`${gateway.adminUrl}/readyz`)).status
    expect(await ready()).toBe(200)
    await order(other, space.presence, 'drain', { by })
    expect(await ready()).toBe(503)
    const answer = await fetch(gateway.url)
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close'])
    await order(other, space.presence, 'resume', { by })
    expect(await ready()).toBe(200)
    await gateway.stop()
  })

  test('a level of the log is set by an order, and an unknown one refused', async () => {
    const { space, other } = opened()
    const logger = { level: 'info', debug() {}, info() {}, warn() {}, error() {} }
    await using worker = createWorker({ space: other, app: gated().app, logger })
    await worker.start()
    await order(space, other.presence, 'logLevel', { argument: 'debug', by })
    expect(logger.level).toBe('debug')
    const loud = order(space, other.presence, 'logLevel', { argument: 'loud', by })
    await expect(loud).rejects.toMatchObject({ code: 'ORDER_REFUSED' })
    expect(logger.level).toBe('debug')
  })

  test('a process that is stopped by an order drains, ends, and is told of no more', async () => {
    const { space, other } = opened()
    const { app, held } = gated()
    const worker = createWorker({ space: other, app })
    const scheduler = createScheduler({ space })
    await Promise.all([worker.start(), scheduler.start()])
    const sent = send(space, '/')
    await until(() => held.length === 1, 'it runs')
    await order(space, other.presence, 'stop', { by })
    await until(async () => (await processesIn(space)).some(({ state }) => state === 'stopping'), 'it stops')
    held[0]?.end('done')
    expect((await sent.response).status).toBe(200)
    await until(async () => (await processesIn(space)).length === 1, 'it is gone')
    await scheduler.stop()
  })

  test('an order that nobody takes is withdrawn; one that nobody knows is refused', async () => {
    const { space, other } = opened()
    const nobody = order(space, other.presence, 'drain', { by, waitMs: 50 })
    await expect(nobody).rejects.toMatchObject({ code: 'ORDER_UNANSWERED' })
    expect(await space.readIfExists(Order)).toBeNull()
    await using worker = createWorker({ space: other, app: gated().app })
    await worker.start()
    const unknown = order(space, other.presence, 'dance' as 'drain', { by })
    await expect(unknown).rejects.toMatchObject({ code: 'ORDER_REFUSED' })
  })

  test('what has not begun is given back at an order', async () => {
    const { space, other } = opened()
    const { app, held } = gated()
    await using worker = createWorker({ space: other, app, concurrency: 2 })
    await worker.start()
    const sent = [send(space, '/1'), send(space, '/2')]
    await until(() => held.length === 2, 'both run')
    await order(space, other.presence, 'recall', { by })
    // They run: they stay.
    for (const res of held) res.end()
    const answers = await Promise.all(sent.map(({ response }) => response))
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(held.length).toBe(2)
  })
})

const offers = async (space: Space, service: string): Promise<boolean> => {
  const template = { kind: 'takespace.Request', root: 'takespace.Request', indexed: [], verified: [] }
  return (await space.engine.offered(template))?.includes(`service=s:${service}`) ?? true
}

const offersTask = async (space: Space, task: string): Promise<boolean> => {
  const template = { kind: 'takespace.Task', root: 'takespace.Task', indexed: ['service=s:web'], verified: [] }
  return (await space.engine.offered(template))?.includes(`task=s:${task}`) ?? true
}

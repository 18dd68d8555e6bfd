/** The state of a space as operators see it: what is rated how, and what it costs to ask. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { order } from '../../src/control/orders.js'
import { pauseWork } from '../../src/control/pauses.js'
import { processesIn } from '../../src/control/processes.js'
import { requestsIn } from '../../src/control/requests.js'
import { type ServiceState, type SpaceState, StateSampler, stateOf } from '../../src/control/state.js'
import { needsOfStore } from '../../src/control/store.js'
import { type Sent, sendRequest } from '../../src/request.js'
import { quantileOf } from '../../src/runtime/counters.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { everyEngine, type Opened } from '../support/every-engine.js'
import { until } from '../support/until.js'
import { requestOf } from '../workers/turns.js'
import { busyWorker } from './busy-worker.js'

test('95 % of the times are below the one that is told, between the bounds in proportion', () => {
  expect(quantileOf([], 0.95)).toBe(0)
  expect(quantileOf([0, 0], 0.95)).toBe(0)
  expect(quantileOf([100], 0.95)).toBeCloseTo(0.95)
  // 95 of 100 are the first bucket and a half of the second.
  expect(quantileOf([90, 10], 0.95)).toBeCloseTo(1.75)
  // Beyond the last bound.
  expect(quantileOf([...Array.from({ length: 14 }, () => 0), 3], 0.95)).toBe(30_000)
})

test('a server that evicts, or that is nearly full, needs somebody', () => {
  const of = (usedBytes: number, limitBytes: number, policy = 'noeviction') =>
    needsOfStore({ usedBytes, limitBytes, policy }).map(({ rating, what }) => `${rating}: ${what}`)
  expect(needsOfStore(null)).toEqual([])
  expect(of(10, 0)).toEqual([])
  expect(of(89, 100)).toEqual([])
  expect(of(90, 100)).toEqual(['degraded: Redis uses 90 % of its memory'])
  expect(of(1, 100, 'allkeys-lru')).toEqual(['bad: Redis may evict entries (allkeys-lru)'])
})

everyEngine('the state of a space', (opened) => {
  test('it is good, degraded while a service is paused, and bad while requests wait for nobody', async () => {
    const { space, other } = opened()
    await using worker = createWorker({ space: other, app: (_req, res) => void res.end(), concurrency: 4 })
    await worker.start()
    await until(async () => (await processesIn(space)).length === 1, 'the worker has told of itself')
    expect(await stateOf(space)).toMatchObject({
      version: 1,
      rating: 'good',
      needs: [],
      services: [{ name: 'web', waiting: 0, workers: 1, capacity: 4, held: 0, paused: 'no' }],
      deadLetters: 0,
    })
    const { store } = await stateOf(space)
    if (store) expect(store).toEqual({ usedBytes: expect.any(Number), limitBytes: 0, policy: 'noeviction' })
    else expect(space.isOfThisProcess).toBe(true)
    await pauseWork(space, 'service', 'web', { by: 'the test' })
    const paused = await stateOf(space)
    expect([paused.rating, paused.services[0]?.paused]).toEqual(['degraded', 'wait'])
    expect(paused.needs).toEqual([expect.objectContaining({ what: 'the service web is paused by the test' })])
    await worker.stop()
  })

  test('requests that wait for a service without workers are told first', async () => {
    const { space, other } = opened()
    await using worker = createWorker({ space: other, app: (_req, res) => void res.end(), service: ['web', 'api'] })
    await worker.start()
    await until(async () => (await processesIn(space)).length === 1, 'the worker has told of itself')
    // It takes nothing more, and nobody else does.
    await order(space, other.presence, 'drain', { by: 'the test' })
    const sent = sendTo(space, 'web')
    let state: SpaceState | undefined
    await until(async () => {
      state = await stateOf(space)
      return state.rating === 'bad' && state.services.some(({ waiting }) => waiting === 1)
    }, 'it is bad')
    expect(state!.needs[0]).toEqual({
      rating: 'bad',
      what: '1 requests for web wait, and no worker takes them',
      advice: 'Start a worker.',
    })
    await order(space, other.presence, 'resume', { by: 'the test' })
    expect((await sent.response).status).toBe(200)
  })

  test('of a request it is told where it runs, or why it waits', async () => {
    const { space, other } = opened()
    await using busy = await busyWorker(space, other, '/first?secret=1')
    const { held, running, waiting } = busy
    const sent = [running, waiting]
    await order(space, other.presence, 'drain', { by: 'the test' })
    let seen = await requestsIn(space, await stateOf(space), undefined, 10)
    await until(async () => {
      seen = await requestsIn(space, await stateOf(space), undefined, 10)
      return seen.length === 2
    }, 'the process has told what it does')
    const shared = { service: 'web', method: 'GET', ageMs: expect.any(Number) }
    expect(seen).toEqual([
      { ...shared, id: sent[0]!.id, state: 'running', path: '/first', process: other.presence },
      {
        ...shared,
        id: sent[1]!.id,
        state: 'waiting',
        path: '/second',
        leftMs: expect.any(Number),
        deaths: 0,
        why: 'no worker takes requests of the service',
      },
    ])
    await order(space, other.presence, 'resume', { by: 'the test' })
    held[0]!.end()
    await until(() => held.length === 2, 'the second runs')
    held[1]!.end()
    for (const { response } of sent) expect((await response).status).toBe(200)
  })

  /** A process tells at each change, too. */
  const toldAnew = async ({ space, other }: Opened): Promise<SpaceState> => {
    for (const verb of ['drain', 'resume'] as const) await order(space, other.presence, verb, { by: 'the test' })
    let state = await stateOf(space)
    await until(async () => {
      state = await stateOf(space)
      return state.processes.every((each) => each.state === 'running')
    }, 'it has told')
    return state
  }

  test('slots of several services are counted once, and requests for their own service', async () => {
    const { space, other } = opened()
    const held: ServerResponse[] = []
    const app = (_req: IncomingMessage, res: ServerResponse) => void held.push(res)
    await using worker = createWorker({ space: other, app, service: ['api', 'web'], concurrency: 4 })
    await worker.start()
    const sent = sendTo(space, 'web')
    await until(() => held.length === 1, 'it runs')
    const slots = (state: SpaceState) =>
      state.services.map(({ name, held, capacity, withRoom, workers }) => [name, held, capacity, withRoom, workers])
    // Of the three free slots the first service has two.
    await until(async () => {
      const [api, web] = slots(await toldAnew(opened()))
      return `${api}` === 'api,0,2,1,1' && `${web}` === 'web,1,2,1,1'
    }, 'they are told')
    held[0]!.end()
    expect((await sent.response).status).toBe(200)
  })

  test('a service has its rate, the part of its errors, and how long requests waited and ran', async () => {
    const { space, other } = opened()
    const app = (req: IncomingMessage, res: ServerResponse) => {
      if (req.url === '/bad') res.statusCode = 500
      res.end()
    }
    await using worker = createWorker({ space: other, app })
    await worker.start()
    for (let n = 0; n < 20; n++) await sendTo(space, 'web', n % 4 === 0 ? '/bad' : '/').response
    let web: ServiceState | undefined
    await until(async () => {
      web = (await toldAnew(opened())).services[0]
      return (web?.perSecond ?? 0) > 0
    }, 'it is told')
    expect(web).toMatchObject({ name: 'web', errorShare: 0.25 })
    expect(web!.failedPerSecond).toBeCloseTo(web!.perSecond / 4, 2)
    expect([web!.waitP95Ms > 0, web!.runP95Ms > 0]).toEqual([true, true])
  })

  test('what a gateway answers without a worker is an error of its service', async () => {
    const { other } = opened()
    await using gateway = createGateway({ space: other, port: 0, limits: { timeoutMs: 50 } })
    await gateway.start()
    expect((await fetch(gateway.url)).status).toBe(504)
    let web: ServiceState | undefined
    await until(async () => {
      web = (await toldAnew(opened())).services[0]
      return (web?.perSecond ?? 0) > 0
    }, 'it is told')
    expect(web).toMatchObject({ name: 'web', workers: 0, errorShare: 1, waitP95Ms: 0 })
  })

  test('whoever asks how often, it is sampled once a second', async () => {
    const { space } = opened()
    const sampler = new StateSampler(space)
    const asked = await Promise.all(Array.from({ length: 20 }, () => sampler.state()))
    expect(new Set(asked.map(({ at }) => at)).size).toBe(1)
  })
})

const sendTo = (space: Space, service: string, target = '/'): Sent =>
  sendRequest(space, requestOf({ target }), { service, timeoutMs: 20_000, priority: 0, repeatable: true })

/** The state of a space as operators see it: what is rated how, and what it costs to ask. */
import { expect, test } from '@jest/globals'
import { order } from '../../src/control/orders.js'
import { pauseWork } from '../../src/control/pauses.js'
import { processesIn } from '../../src/control/processes.js'
import { requestsIn } from '../../src/control/requests.js'
import { type SpaceState, StateSampler, stateOf } from '../../src/control/state.js'
import { sendRequest } from '../../src/request.js'
import { createWorker } from '../../workers/index.js'
import { everyEngine } from '../support/every-engine.js'
import { until } from '../support/until.js'
import { requestOf } from '../workers/turns.js'
import { busyWorker } from './busy-worker.js'

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
    const sent = sendRequest(space, requestOf({}), { service: 'web', timeoutMs: 20_000, priority: 0, repeatable: true })
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

  test('whoever asks how often, it is sampled once a second', async () => {
    const { space } = opened()
    const sampler = new StateSampler(space)
    const asked = await Promise.all(Array.from({ length: 20 }, () => sampler.state()))
    expect(new Set(asked.map(({ at }) => at)).size).toBe(1)
  })
})

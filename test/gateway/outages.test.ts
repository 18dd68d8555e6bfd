/** A service without workers: told once per outage, and not mistaken for workers that are slow. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Outages } from '../../gateway/outages.js'
import { openSpace, type Space } from '../../src/index.js'
import { type HeldRequest, type Sent, sendRequest, serveRequests } from '../../src/request.js'
import { until } from '../support/until.js'
import { listening, requestOf } from '../workers/turns.js'
import { ask, serving } from './serving.js'

const OUTAGE_MS = 60
const LOOK_MS = 5

let space: Space
beforeEach(async () => {
  space = await openSpace('memory:')
})
afterEach(() => space.close())

const OK = { status: 200, reason: '', headers: [], body: Buffer.alloc(0) }
const send = (service: string): Sent => {
  const sent = sendRequest(space, requestOf(), { service, timeoutMs: 30_000, priority: 0, repeatable: true })
  sent.response.catch(() => {})
  return sent
}

describe('a service whose requests wait', () => {
  test('is told of once, with how many wait, and again when workers have been there meanwhile', async () => {
    const log = listening()
    const outages = new Outages(space, log, OUTAGE_MS, LOOK_MS)
    const load = outages.of('web')
    const other = outages.of('other')
    const warned = (): unknown[] => log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)
    const sent = [send('web'), send('web')]
    for (const _ of sent) outages.enter(load)
    await until(() => warned().length === 1, 'it is told')
    expect(warned()).toEqual([{ service: 'web', waiting: 2, oldestMs: expect.any(Number) }])
    // Another service is none of its outage, and the same one is told of once.
    const third = send('other')
    outages.enter(other)
    await until(() => warned().length === 2, 'the other is told')
    expect(warned()[1]).toMatchObject({ service: 'other', waiting: 1 })

    const { stop } = await serveRequests(space, 'web', 4, (taken) => void taken.complete(OK))
    for (const { response } of sent) await response
    load.waiting = 0
    load.answered += 2
    await until(
      () => log.lines.some(({ message }) => /take requests of this service again/.test(message)),
      'it is over',
    )
    await stop()
    const fourth = send('web')
    outages.enter(load)
    await until(() => warned().length === 3, 'the next outage is told')
    outages.stop()
    for (const each of [third, fourth]) each.withdraw()
  })

  test('is none if a worker has taken them, however long it works', async () => {
    const log = listening()
    const outages = new Outages(space, log, OUTAGE_MS, LOOK_MS)
    const held: HeldRequest[] = []
    await serveRequests(space, 'web', 4, (taken) => void held.push(taken))
    const { response } = send('web')
    outages.enter(outages.of('web'))
    // Another service, which waits as long, is reported.
    const other = send('other')
    outages.enter(outages.of('other'))
    await until(() => log.lines.length > 0, 'the other is told of')
    expect(log.lines.map(({ fields }) => fields.service)).toEqual(['other'])
    other.withdraw()
    outages.stop()
    for (const taken of held) await taken.complete(OK)
    await response
  })
})

test('a gateway tells of it after 5 s, and that it is over', async () => {
  const log = listening()
  await using s = await serving(null, { logger: log, limits: { timeoutMs: 30_000 } })
  const answer = ask(s.port)
  await until(() => log.lines.some(({ level }) => level === 'warn'), 'it is told')
  const warned = log.lines.find(({ level }) => level === 'warn')
  expect(warned?.fields).toMatchObject({ service: 'web', waiting: 1 })
  expect(warned?.fields.oldestMs).toBeGreaterThanOrEqual(5_000)
  await serveRequests(s.space, 'web', 4, (taken) => void taken.complete(OK))
  expect((await answer).status).toBe(200)
  await until(async () => {
    await ask(s.port)
    return log.lines.some(({ message }) => /take requests of this service again/.test(message))
  }, 'it is over')
})

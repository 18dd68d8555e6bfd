/** One list of requests, asked of every framework on its own socket and through a space: no difference that is not in the list of differences. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import { sendRequest } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { until } from '../support/until.js'
import { whole } from '../support/whole.js'
import { type Difference, differencesOf } from './apps/differences.js'
import { FRAMEWORKS, type Framework } from './apps/frameworks.js'
import { nameOf, REQUESTS } from './apps/requests.js'
import { askedOf, askServer, type Comparable, comparable } from './asking.js'

let space: Space
beforeAll(async () => {
  space = await openSpace('memory:')
})
afterAll(() => space.close())

test('the list is long enough', () => {
  expect(new Set(REQUESTS.map(nameOf)).size).toBe(REQUESTS.length)
  expect(REQUESTS.length).toBeGreaterThanOrEqual(60)
})

describe.each(FRAMEWORKS)('$name answers as it does on its own socket', (framework: Framework) => {
  const direct: string[] = []
  const through: string[] = []
  const terms = { service: framework.name, timeoutMs: 10_000, priority: 0, repeatable: true }
  const differences = differencesOf(framework.name)
  const met = new Set<Difference>()
  let server: Server
  let port: number

  beforeAll(async () => {
    server = await framework.server(direct)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
    await createWorker({ space, service: framework.name, app: framework.make(through) }).start()
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  test.each(REQUESTS.map((ask) => [nameOf(ask), ask] as const))('%s', async (name, ask) => {
    const request = askedOf(ask, port)
    const expected = await askServer(port, request)
    const response = await whole(await sendRequest(space, request, terms).response)
    const sides = [comparable(response), comparable(expected)] as const
    const applying = differences.filter(({ requests }) => requests.test(name))
    for (const each of applying) {
      const [one, other] = alike(
        sides,
        applying.filter((difference) => difference !== each),
      )
      if (!isDeepStrictEqual(one, other)) met.add(each)
    }
    const [one, other] = alike(sides, applying)
    expect(one).toEqual(other)
    // What is heard last may come after the answer; no later than this it must be the same on both sides.
    await until(() => isDeepStrictEqual(through, direct), 'both apps have heard the same', 2_000).catch(() => {})
    expect(through).toEqual(direct)
  })

  test('and its app hears of the end of each exchange', () => {
    if (!framework.fetches) expect(direct.length).toBeGreaterThan(REQUESTS.length)
  })

  test('and what is listed as a difference is one', () => {
    expect(differences.filter((difference) => !met.has(difference))).toEqual([])
  })
})

const alike = (sides: readonly Comparable[], differences: Difference[]): Comparable[] =>
  sides.map((side) => differences.reduce((left, difference) => difference.alike(left), side))

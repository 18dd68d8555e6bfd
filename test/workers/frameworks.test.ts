/** One list of requests, asked of every framework on its own socket and through a space: no difference that is not in the list of differences. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { openSpace } from '../../src/open.js'
import { sendRequest } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'
import { until } from '../support/until.js'
import { FRAMEWORKS, type Framework } from './apps/frameworks.js'
import { nameOf, REQUESTS } from './apps/requests.js'
import { askedOf, askServer, comparable } from './asking.js'

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
  let server: Server
  let port: number

  beforeAll(async () => {
    server = await framework.server(direct)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
    await createWorker({ space, service: framework.name, app: framework.make(through) }).start()
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  test.each(REQUESTS.map((ask) => [nameOf(ask), ask] as const))('%s', async (_name, ask) => {
    const request = askedOf(ask, port)
    const expected = await askServer(port, request)
    const response = await sendRequest(space, request, terms).response
    const sorted = (c: ReturnType<typeof comparable>) => ({...c, headers: framework.fetches ? c.headers.map((h) => h.replace(/^[^:]+/, (x) => x.toLowerCase())).sort() : c.headers, body: c.body.slice(0,1000)})
    expect(sorted(comparable(response))).toEqual(sorted(comparable(expected)))
    await until(() => through.length >= direct.length, `${through} is ${direct}`, 1_000)
    expect(through.splice(0)).toEqual(direct.splice(0))
  })
})

/** What the overlay keda asks of the gateways: without a worker the state tells a waiting request, which the first worker answers. */
import { afterAll, beforeAll, expect } from '@jest/globals'
import { load } from 'js-yaml'
import { show } from '../faults/form.js'
import { testInLongForm } from '../faults/long-form.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { pathOf, textOf } from '../support/repository.js'
import { until } from '../support/until.js'

interface ScaledObject {
  readonly spec: {
    readonly triggers: readonly { readonly metadata: { readonly url: string; readonly valueLocation: string } }[]
  }
}
interface State {
  readonly services: readonly (Readonly<Record<string, number>> & { readonly name: string })[]
}

const POLL_MS = 2_000
const [waiting, held] = (
  load(textOf('examples/deploy/kubernetes/overlays/keda/scaled-object.yaml')) as ScaledObject
).spec.triggers.map(({ metadata }) => metadata)

let redis: Redis
const started: Process[] = []
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(async () => {
  for (const process of started) process.kill('SIGTERM')
  for (const { exited } of started) expect(await exited).toEqual({ code: 0, signal: null })
  await redis.stop()
})

function start(...args: string[]): Process {
  const process = startProcess(['takespace', ...args], { env: { TAKESPACE_URL: redis.url } })
  started.push(process)
  return process
}

testInLongForm('a request that finds no worker waits for the one that it has started', async () => {
  const gateway = start('gateway', '--port', '0', '--admin-port', '0')
  const [, url] = await gateway.line(/"url":"([^"]+)"/)
  const [, adminUrl] = await gateway.line(/"adminUrl":"([^"]+)"/)
  /** As the path of a trigger (gjson) names it: `services.#(name=="web").waiting`. */
  const measured = async ({ url: asked, valueLocation }: NonNullable<typeof waiting>): Promise<number> => {
    const [, name, field] = /^services\.#\(name=="(\w+)"\)\.(\w+)$/.exec(valueLocation)!
    const state = (await (await fetch(adminUrl + new URL(asked).pathname)).json()) as State
    return state.services.find((service) => service.name === name)?.[field!] ?? 0
  }
  expect(await measured(waiting!)).toBe(0)
  const since = performance.now()
  const answered = fetch(url!).then((response) => response.text())
  await until(async () => (await measured(waiting!)) === 1, 'the request waits')
  start('worker', pathOf('test/deploy/orphaning.js'))
  expect(await answered).toBe('served')
  show('from none to one worker', {
    'until the answer, ms': Math.round(performance.now() - since),
    'of which KEDA adds at most, ms': POLL_MS,
  })
  await until(async () => (await measured(waiting!)) + (await measured(held!)) === 0, 'nothing is left to scale for')
})

failOnLeaks()

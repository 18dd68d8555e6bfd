/** Services on the command line: a gateway that sends each path to its service, and workers that take several. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ask } from '../gateway/serving.js'
import { end, startDev } from '../support/dev.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Process, startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { scratch } from '../support/scratch.js'
import { until } from '../support/until.js'

const { folder, write } = scratch('services', [])
const app = write(
  'app.mjs',
  `import { currentRequest } from ${JSON.stringify(new URL('../../dist/workers/index.js', import.meta.url).href)}
  export default (req, res) => res.end(currentRequest().service + (process.env.MARK ?? ''))`,
)

let redis: Redis
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

const textOf = async (url: string): Promise<string> => (await fetch(url)).text()

async function started(args: string[], ready: RegExp, env: Record<string, string> = {}): Promise<[Process, string]> {
  const process = startProcess(['takespace', ...args], { env: { TAKESPACE_URL: redis.url, ...env }, cwd: folder })
  const [, found = ''] = await process.line(ready)
  return [process, found]
}

test('a gateway and workers of several services, by flags', async () => {
  const services = '[::1]/v1=admin,web,/api=api,admin.example/v1=admin'
  const [gateway, url] = await started(['gateway', '--port', '0', '--services', services], /"url":"([^"]+)"/)
  const [both] = await started(['worker', app, '--service', 'web,api'], /a worker process is ready/, {
    MARK: ' of both',
  })
  const [admin] = await started(['worker', app, '--service', 'admin'], /a worker process is ready/)
  expect(await textOf(url)).toBe('web of both')
  expect(await textOf(`${url}/api/x`)).toBe('api of both')
  expect(await textOf(`${url}/v1`)).toBe('web of both')
  for (const host of ['admin.example', '[::1]:8080'])
    expect((await ask(Number(new URL(url).port), { path: '/v1', headers: { host } })).text).toBe('admin')
  await end(both)
  await end(admin)
  await end(gateway)
})

test('by the config file, with the settings of each service', async () => {
  const services = [{ service: 'web' }, { service: 'api', pathPrefix: '/api', withoutWorker: 'refuse' }]
  const file = write('services.json', JSON.stringify({ services, service: ['web', 'api'], name: 'filed' }))
  const [gateway, url] = await started(['gateway', '--port', '0', '--config', file], /"url":"([^"]+)"/)
  const refused = await fetch(`${url}/api`)
  expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([503, 'NO_WORKER'])
  const [worker] = await started(['worker', app, '--config', file], /a worker process is ready/)
  await until(async () => (await textOf(`${url}/api`)) === 'api', 'the worker is noticed')
  expect(await textOf(url)).toBe('web')
  await end(worker)
  await end(gateway)
})

test('dev serves all services of its gateway', async () => {
  const [dev, url] = await startDev(app, ['--services', '[{"service":"web"},{"service":"api","pathPrefix":"/api"}]'])
  expect([await textOf(url), await textOf(`${url}/api`)]).toEqual(['web', 'api'])
  await end(dev)
})

test.each<[string[], RegExp]>([
  [['gateway', '--services', '/api'], /--services.*invalid.*web,\/api=api/],
  [['gateway', '--services', '[{"service":"a","pathprefix":"/"}]'], /pathprefix.*Did you mean pathPrefix/],
  [['gateway', '--services', '[{]'], /not JSON/],
  [['gateway', '--services', 'a,b'], /services\[1\] has the host and the path of services\[0\]/],
  [['gateway', '--service', 'web'], /Did you mean --services/],
  [['worker', 'app.mjs', '--service', 'a,,b'], /--service.*invalid/],
  [['enqueue', 'task', '--service', 'a,b'], /It must be one service/],
])('malformed services are refused: %s', async (args, reason) => {
  const process = startProcess(['takespace', ...args], { cwd: folder })
  expect(await process.exited).toEqual({ code: 2, signal: null })
  expect(process.output()).toMatch(reason)
})

failOnLeaks()

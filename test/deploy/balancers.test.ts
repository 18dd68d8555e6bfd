/** examples/deploy/traefik and aws-alb, which are not run: their times fit those of the gateway. */
import { expect, test } from '@jest/globals'
import { load } from 'js-yaml'
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1/Ingress'
import { end, startDev } from '../support/dev.js'
import { textOf } from '../support/repository.js'
import { scratch } from '../support/scratch.js'
import { flagValue, unknownFlags } from './commands.js'

// biome-ignore lint/suspicious/noExplicitAny: configurations of others
type Any = any

const { write } = scratch('balancers')
const yamlOf = (file: string): Any => load(textOf(`examples/deploy/${file}`))
/** The command of the gateways in the head of a file. */
const commandIn = (file: string): string[] =>
  /The gateways: takespace (gateway .*\n# {3}.*)/
    .exec(textOf(`examples/deploy/${file}`))![1]!
    .replace('\n#', '')
    .split(/\s+/)
const msOf = (text: string): number => Number.parseFloat(text) * (text.endsWith('ms') ? 1 : 1_000)
const TIMEOUT_MS = 30_000

test.each([
  'traefik/traefik.yaml',
  'traefik/dynamic.yaml',
  'aws-alb/target-group.yaml',
  'aws-alb/attributes.yaml',
  'aws-alb/ingress.yaml',
])('%s says that it is not run', (file) => {
  expect(textOf(`examples/deploy/${file}`)).toMatch(/^# .*\n# Not run by the tests of takespace/)
})

test('Traefik: checks, idle connections and timeouts', async () => {
  const { http } = yamlOf('traefik/dynamic.yaml')
  const { entryPoints } = yamlOf('traefik/traefik.yaml')
  const command = commandIn('traefik/dynamic.yaml')
  expect(await unknownFlags(command)).toEqual([])
  const drainMs = flagValue(command, '--drain-delay-ms')
  const router = http.routers.shop
  expect(Object.keys(http.services)).toContain(router.service)
  for (const name of router.middlewares) expect(Object.keys(http.middlewares)).toContain(name)
  for (const name of router.entryPoints) expect(Object.keys(entryPoints)).toContain(name)
  const { healthCheck, serversTransport, servers } = http.services.gateways.loadBalancer
  expect(healthCheck).toMatchObject({ path: '/readyz', port: flagValue(command, '--admin-port') })
  expect(msOf(healthCheck.interval) + msOf(healthCheck.timeout)).toBeLessThan(drainMs)
  const { idleConnTimeout, responseHeaderTimeout } = http.serversTransports[serversTransport].forwardingTimeouts
  expect(msOf(idleConnTimeout)).toBeLessThan(drainMs)
  expect(msOf(responseHeaderTimeout)).toBeGreaterThan(TIMEOUT_MS)
  expect(msOf(entryPoints.websecure.transport.lifeCycle.graceTimeOut)).toBeGreaterThan(TIMEOUT_MS)
  for (const { url } of servers) expect(new URL(url).port).toBe(String(flagValue(command, '--port')))
})

test('AWS: checks, idle connections and the times of a deregistration; the ingress says the same', async () => {
  const group = yamlOf('aws-alb/target-group.yaml')
  const attributes = new Map<string, string>(
    yamlOf('aws-alb/attributes.yaml').Attributes.map(({ Key, Value }: Any) => [Key, Value]),
  )
  const command = commandIn('aws-alb/target-group.yaml')
  expect(await unknownFlags(command)).toEqual([])
  expect(group).toMatchObject({
    Port: flagValue(command, '--port'),
    HealthCheckPort: String(flagValue(command, '--admin-port')),
    HealthCheckPath: '/readyz',
  })
  const {
    HealthCheckIntervalSeconds: interval,
    HealthCheckTimeoutSeconds: timeout,
    UnhealthyThresholdCount: count,
  } = group
  expect((interval * count + timeout) * 1_000).toBeLessThan(flagValue(command, '--drain-delay-ms'))
  expect(Number(attributes.get('deregistration_delay.timeout_seconds')) * 1_000).toBeGreaterThan(TIMEOUT_MS)

  const ingress = yamlOf('aws-alb/ingress.yaml')
  new Ingress(ingress).validate()
  const annotation = (name: string): string => ingress.metadata.annotations[`alb.ingress.kubernetes.io/${name}`]
  expect({
    port: annotation('healthcheck-port'),
    path: annotation('healthcheck-path'),
    interval: Number(annotation('healthcheck-interval-seconds')),
    timeout: Number(annotation('healthcheck-timeout-seconds')),
    count: Number(annotation('unhealthy-threshold-count')),
  }).toEqual({ port: group.HealthCheckPort, path: group.HealthCheckPath, interval, timeout, count })
  const [, idle] = /idle_timeout\.timeout_seconds=(\d+)/.exec(annotation('load-balancer-attributes'))!
  expect(Number(idle) * 1_000).toBeLessThan(flagValue(command, '--keep-alive-ms'))
  const same = ['deregistration_delay.timeout_seconds', 'load_balancing.algorithm.type']
  expect(annotation('target-group-attributes').split(',')).toEqual(same.map((key) => `${key}=${attributes.get(key)}`))
})

test('--keep-alive-ms is what idle connections get, for a load balancer that keeps them longer than 60 s', async () => {
  const longer = /--keep-alive-ms (\d+) for (\d+) s/.exec(textOf('examples/deploy/aws-alb/attributes.yaml'))!
  const app = write('app.mjs', 'export default (req, res) => res.end("served")')
  const [gateway, url] = await startDev(app, ['--keep-alive-ms', longer[1]!])
  const { headers } = await fetch(url)
  const toldSeconds = Number(/timeout=(\d+)/.exec(headers.get('keep-alive')!)![1])
  expect(toldSeconds).toBeGreaterThanOrEqual(Number(longer[2]))
  expect(toldSeconds * 1_000).toBeLessThan(Number(longer[1]))
  await end(gateway)
})

/** examples/deploy/kubernetes: each overlay is valid, asks the right probes, and gives a stop the time that it takes. */
import { describe, expect, test } from '@jest/globals'
import { load } from 'js-yaml'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { Service } from 'kubernetes-models/v1/Service'
import { MEMORY_ONLY } from '../support/redis.js'
import { textOf } from '../support/repository.js'
import { flagValue, longestStopMs, unknownFlags } from './commands.js'
import { commandLineOf, kustomized, type Manifest } from './manifests.js'

const FOLDER = 'examples/deploy/kubernetes/overlays'
const OVERLAYS = ['one-process', 'supervisor', 'keda', 'monitoring', 'dashboard'] as const
const RESTRICTED = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
}

/** The kinds of Kubernetes itself, with their schemas; others are checked by rules. */
const KINDS = { Deployment, NetworkPolicy, PodDisruptionBudget, ConfigMap, Service }
const OPERATORS = ['ScaledObject', 'PodMonitor', 'PrometheusRule']

type Model = new (manifest: object) => { validate(): void }
const modelOf = ({ kind }: Manifest): Model | undefined => (KINDS as unknown as Record<string, Model>)[kind]

const describeWithKubectl = !MEMORY_ONLY && kustomized(`${FOLDER}/supervisor`) ? describe : describe.skip

test('the schemas find a wrong field', () => {
  expect(() => new Service({ spec: { ports: [{ port: 'eighty' }] } } as never).validate()).toThrow(/port/)
})

describeWithKubectl.each(OVERLAYS)('%s', (overlay) => {
  const manifests = MEMORY_ONLY ? [] : (kustomized(`${FOLDER}/${overlay}`) ?? [])
  const deployments = manifests.filter(({ kind }) => kind === 'Deployment')
  const named = (kind: string, name: string): Manifest =>
    manifests.find((each) => each.kind === kind && each.metadata.name === name)!

  test('every manifest has the schema of its kind', () => {
    expect(deployments.length).toBe(overlay === 'dashboard' ? 3 : 2)
    for (const manifest of manifests) {
      const model = modelOf(manifest)
      if (model) new model(manifest).validate()
      else expect(OPERATORS).toContain(manifest.kind)
    }
  })

  test.each(['gateway', 'worker'])('%s: command, probes, rights and the time of a stop', async (name) => {
    const { spec } = named('Deployment', name).spec.template
    const [container] = spec.containers
    const line = commandLineOf(container!.args)
    expect(await unknownFlags(line)).toEqual([])
    expect(spec.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(longestStopMs(line))
    const probe = (path: string): object => ({ httpGet: { path, port: 'admin' } })
    expect(container).toMatchObject({
      startupProbe: probe('/startupz'),
      livenessProbe: probe('/livez'),
      readinessProbe: probe('/readyz'),
      securityContext: RESTRICTED,
      resources: { limits: { memory: expect.any(String) } },
    })
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    expect(spec.topologySpreadConstraints).toHaveLength(1)
    const admin = container!.ports.find((port) => port.name === 'admin')!
    expect(line).toEqual(expect.arrayContaining(['--admin-port', String(admin.containerPort)]))
    expect(container!.image).toMatch(/:(?!latest)[\w.]+$/)
    expect(named('PodDisruptionBudget', name).spec).toMatchObject({ maxUnavailable: 1 })
    // The admin port has no authentication.
    const { ingress } = named('NetworkPolicy', name).spec as unknown as {
      ingress: readonly { from: readonly object[]; ports: readonly { port: string }[] }[]
    }
    const sources = ingress
      .filter(({ ports }) => ports.some(({ port }) => port === 'admin'))
      .flatMap(({ from }) => from)
    expect(JSON.stringify(sources)).not.toMatch(/podSelector|"namespaceSelector":\{\}/)
  })

  test('a gateway drains for longer than it takes to be found not ready', () => {
    const [container] = named('Deployment', 'gateway').spec.template.spec.containers
    const { periodSeconds, timeoutSeconds, failureThreshold } = container!.readinessProbe as unknown as Record<
      string,
      number
    >
    const line = commandLineOf(container!.args)
    const drainMs = Number(line[line.indexOf('--drain-delay-ms') + 1])
    expect(drainMs).toBeGreaterThan((periodSeconds! * failureThreshold! + timeoutSeconds!) * 1_000)
  })
})

describeWithKubectl('the overlays', () => {
  const of = (overlay: (typeof OVERLAYS)[number], kind: string, name: string): Manifest =>
    (kustomized(`${FOLDER}/${overlay}`) ?? []).find((each) => each.kind === kind && each.metadata.name === name)!

  test.each([
    ['one-process', '1'],
    ['supervisor', '4'],
  ] as const)('%s has %s processes in a pod', (overlay, count) => {
    const [container] = of(overlay, 'Deployment', 'worker').spec.template.spec.containers
    expect(commandLineOf(container!.args).slice(-2)).toEqual(['--processes', count])
  })

  test('keda scales the workers alone, to none, by the state of the space', () => {
    expect(of('keda', 'Deployment', 'worker').spec.replicas).toBeUndefined()
    const { spec } = of('keda', 'ScaledObject', 'worker')
    expect(spec).toMatchObject({ scaleTargetRef: { name: 'worker' }, minReplicaCount: 0 })
    for (const { metadata } of spec.triggers as { metadata: Record<string, string> }[]) {
      expect(metadata).toMatchObject({ url: 'http://gateway-admin:9090/api/v1/state', aggregationType: 'max' })
      expect(Object.values(metadata).every((value) => typeof value === 'string')).toBe(true)
    }
  })

  test('the dashboard only reads, has users, and is reached by kubectl port-forward alone', async () => {
    const { spec } = of('dashboard', 'Deployment', 'dashboard').spec.template
    const [container] = spec.containers
    const line = commandLineOf(container!.args)
    expect(await unknownFlags(line)).toEqual([])
    expect(line).toEqual(expect.arrayContaining(['--dashboard-read-only', '--dashboard-users']))
    expect(container!.ports).toEqual([{ name: 'dashboard', containerPort: flagValue(line, '--dashboard-port') }])
    expect(container).toMatchObject({
      securityContext: RESTRICTED,
      readinessProbe: { httpGet: { path: '/', httpHeaders: [{ name: 'Host', value: 'localhost' }] } },
    })
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    expect(of('dashboard', 'Service', 'dashboard').spec.type).toBeUndefined()
    expect(of('dashboard', 'NetworkPolicy', 'dashboard').spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      ingress: [],
    })
    const kinds = (kustomized(`${FOLDER}/dashboard`) ?? []).map(({ kind }) => kind)
    expect(kinds).not.toContain('Ingress')
  })

  test('the monitor scrapes the admin ports under the job of the rules', () => {
    const { spec } = of('monitoring', 'PodMonitor', 'takespace')
    expect(spec).toMatchObject({ jobLabel: 'app.kubernetes.io/part-of', podMetricsEndpoints: [{ port: 'admin' }] })
    for (const name of ['gateway', 'worker']) {
      const { labels } = of('monitoring', 'Deployment', name).spec.template.metadata
      expect(labels['app.kubernetes.io/part-of']).toBe('takespace')
    }
    const { spec: rule } = of('monitoring', 'PrometheusRule', 'takespace') as unknown as { spec: { groups: unknown[] } }
    const alone = ['rules.yaml', 'alerts.yaml'].flatMap(
      (name) => (load(textOf(`examples/deploy/observability/${name}`)) as { groups: unknown[] }).groups,
    )
    expect(rule.groups).toEqual(alone)
  })
})

/** Manifests of Kubernetes, as much of them as is looked at. */
import { spawnSync } from 'node:child_process'
import { loadAll } from 'js-yaml'
import { pathOf } from '../support/repository.js'

export interface Container {
  readonly args: readonly string[]
  readonly image: string
  readonly securityContext: object
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly resources: { readonly limits?: { readonly memory?: string } }
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly readinessProbe: Probe
}
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
}
export interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> }
  readonly spec: {
    readonly terminationGracePeriodSeconds: number
    readonly securityContext: object
    readonly topologySpreadConstraints: readonly object[]
    readonly containers: readonly Container[]
  }
}
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: { readonly replicas?: number; readonly template: PodTemplate; readonly [field: string]: unknown }
}

/** Returns what `kubectl kustomize` makes of a folder; undefined without kubectl. */
export function kustomized(folder: string): Manifest[] | undefined {
  const { error, status, stdout, stderr } = spawnSync('kubectl', ['kustomize', pathOf(folder)], { encoding: 'utf8' })
  if (error) return undefined
  if (status !== 0) throw new Error(stderr)
  return loadAll(stdout) as Manifest[]
}

/** A command line of takespace with `--flag=value` as two words. */
export const commandLineOf = (args: readonly string[]): string[] =>
  args.flatMap((arg) => (arg.startsWith('--') ? arg.split(/=(.*)/, 2) : [arg]))

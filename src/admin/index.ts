/**
 * The admin port of a gateway or a worker: opened before its start and closed after its stop, so that probes see both.
 */
import { isIPv6 } from 'node:net'
import { StateSampler } from '../control/state.js'
import type { Health } from '../engine.js'
import type { Logger } from '../log.js'
import type { Space } from '../space.js'
import type { OpenPort } from './listen.js'
import { type Measure, spaceMeasures } from './measures.js'
import type { Family } from './metrics.js'
import { type Checks, type Phase, type Probes, probesOf } from './probes.js'
import type { AdminAddress } from './server.js'

export interface AdminTerms extends AdminAddress {
  readonly space: Space
  readonly logger: Logger
  /** Returns whether the gateway or worker takes requests. */
  serving(): boolean
  /** Further conditions of readiness. */
  conditions?(): Checks
  readonly measures: readonly Measure[]
  /** For a port of several processes: remarks about them in /readyz, which do not affect readiness. */
  remarks?(): Checks
  /** For a port of several processes: returns the metrics of all, including its own. */
  gather?(own: readonly Family[]): Promise<readonly Family[]>
}

export class Admin {
  phase: Phase = 'starting'
  readonly #terms: AdminTerms
  #listening: OpenPort | undefined

  constructor(terms: AdminTerms) {
    this.#terms = terms
  }

  /** The URL of the port; undefined while it is closed. */
  get url(): string | undefined {
    const { host } = this.#terms
    return this.#listening && `http://${isIPv6(host) ? `[${host}]` : host}:${this.#listening.port}`
  }

  /** Runs a start while the probes answer; closes the port if it fails. */
  async during(start: () => Promise<void>): Promise<void> {
    await this.#open()
    try {
      await start()
      // A stop may have begun meanwhile.
      if (this.phase === 'starting') this.phase = 'up'
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#listening?.close()
    this.#listening = undefined
  }

  async #open(): Promise<void> {
    const { space, host, port, allowedHosts, dashboard, logger, measures, gather } = this.#terms
    // Loaded when a port is configured.
    const [{ serveAdmin }, prometheus] = await Promise.all([import('./server.js'), import('./metrics.js')])
    const health = () => space.engine.health()
    const all = [...measures, ...spaceMeasures(space)]
    const text = async (): Promise<string> => {
      const own = await prometheus.familiesOf(all)
      return prometheus.textOf(gather ? await gather(own) : own)
    }
    const metrics = { contentType: prometheus.CONTENT_TYPE, text }
    this.#listening = await serveAdmin(
      { host, port, allowedHosts, dashboard },
      this.#probes(health),
      metrics,
      new StateSampler(space),
    )
    const dashboardUrl = dashboard && `${this.url}${dashboard.path}/`
    logger.info({ adminUrl: this.url, dashboardUrl }, 'the admin port is open')
  }

  #probes(health: () => Promise<Health>): Probes {
    const { serving, conditions, remarks } = this.#terms
    const probes = probesOf(() => this.phase, health, serving, conditions)
    if (!remarks) return probes
    const ready = async () => {
      const verdict = await probes.ready()
      return { ...verdict, checks: { ...verdict.checks, ...remarks() } }
    }
    return { ...probes, ready }
  }
}

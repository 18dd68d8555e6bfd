/** The admin side of a gateway or a worker: opened before it starts and closed after it has stopped, so that it can tell of both. */
import { isIPv6 } from 'node:net'
import type { Logger } from '../log.js'
import type { Space } from '../space.js'
import { type Measure, spaceMeasures } from './measures.js'
import { type Phase, probesOf } from './probes.js'
import type { Listening } from './server.js'

export interface AdminTerms {
  readonly space: Space
  readonly host: string
  /** 0 = any free one. */
  readonly port: number
  readonly logger: Logger
  /** Whether what it stands beside takes requests. */
  serving(): boolean
  readonly measures: readonly Measure[]
}

export class Admin {
  phase: Phase = 'starting'
  readonly #terms: AdminTerms
  #listening: Listening | undefined

  constructor(terms: AdminTerms) {
    this.#terms = terms
  }

  /** Where it listens; undefined while it does not. */
  get url(): string | undefined {
    const { host } = this.#terms
    return this.#listening && `http://${isIPv6(host) ? `[${host}]` : host}:${this.#listening.port}`
  }

  /** Runs a start under the eyes of the probes; one that fails leaves no port open. */
  async during(start: () => Promise<void>): Promise<void> {
    await this.#open()
    try {
      await start()
      // A stop may have come meanwhile.
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
    const { space, host, port, logger, serving, measures } = this.#terms
    // Loaded when a port is asked for: nobody else pays for it.
    const [{ serveAdmin }, { metricsOf }] = await Promise.all([import('./server.js'), import('./metrics.js')])
    const health = () => space.engine.health()
    const probes = probesOf(() => this.phase, health, serving)
    this.#listening = await serveAdmin(host, port, probes, metricsOf([...measures, ...spaceMeasures(health)]))
    logger.info({ adminUrl: this.url }, 'the admin port is open')
  }
}

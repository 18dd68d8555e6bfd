/** Errors that a gateway answers by itself (5xx), by service: no worker counts them. */
import type { ServedService } from '../src/control/kinds.js'
import { Recent } from '../src/runtime/recent.js'

export class OwnErrors {
  /** By service. */
  readonly #counts: Map<string, number>
  readonly #recent: Recent

  constructor(services: readonly string[]) {
    this.#counts = new Map(services.map((service) => [service, 0]))
    this.#recent = new Recent(() => [...this.#counts.values()])
  }

  /** `service` is '' before a request is admitted. */
  count(service: string): void {
    const count = this.#counts.get(service)
    if (count !== undefined) this.#counts.set(service, count + 1)
  }

  /** Returns the services with such errors in the last `ms`. */
  parts(): { readonly ms: number; readonly services: readonly ServedService[] } {
    const { ms, numbers } = this.#recent.added()
    const nothing = { held: 0, capacity: 0, free: 0, waited: [], ran: [] }
    const parts = [...this.#counts.keys()].map((service, i) => {
      const failed = numbers[i]!
      return { service, ...nothing, finished: failed, failed }
    })
    return { ms, services: parts.filter(({ failed }) => failed > 0) }
  }
}

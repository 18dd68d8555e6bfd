/** The processes of a space as a dashboard knows them: told of each report, and looked at page by page for those that have ended. */

import { ProcessPresence, type ProcessReport } from '../control/kinds.js'
import { reportFrom } from '../control/processes.js'
import type { Listed } from '../engine.js'
import { decodeFields } from '../entry/codec.js'
import { templateOf } from '../entry/template.js'
import type { Registration } from '../space/notify.js'
import type { Space } from '../space.js'

/** Reports looked at in one call. */
const PAGE = 100

export class ProcessView {
  readonly #space: Space
  readonly #known = new Map<string, ProcessReport>()
  /** Names since the last call of `changes()`. */
  #changed = new Set<string>()
  #registration: Promise<Registration | undefined> | undefined
  #isRegistered = false
  /** The pass through the reports that is under way. */
  #cursor: string | null = null
  #seen = new Set<string>()

  constructor(space: Space) {
    this.#space = space
  }

  get all(): ProcessReport[] {
    const text = ({ host, roles }: ProcessReport): string => `${host} ${roles}`
    return [...this.#known.values()].sort((a, b) => text(a).localeCompare(text(b)) || a.startedAt - b.startedAt)
  }

  named(process: string): ProcessReport | undefined {
    return this.#known.get(process)
  }

  /** Looks at the next page of reports: one call. After the last page those are gone that no page had. */
  async look(): Promise<void> {
    if (!this.#isRegistered) this.#register()
    const { entries, next } = await this.#space.engine.list(templateOf(ProcessPresence).encoded, this.#cursor, PAGE)
    for (const entry of entries) {
      const report = reportIn(entry)
      if (!report) continue
      this.#seen.add(report.process)
      this.#put(report)
    }
    this.#cursor = next
    if (next !== null) return
    for (const name of this.#known.keys()) {
      if (this.#seen.has(name)) continue
      this.#known.delete(name)
      this.#changed.add(name)
    }
    this.#seen = new Set()
  }

  /** Returns the reports that have changed, and the names of processes that are gone, since the last call. */
  changes(): { readonly changed: ProcessReport[]; readonly gone: string[] } {
    const names = [...this.#changed]
    this.#changed = new Set()
    return {
      changed: names.flatMap((name) => this.#known.get(name) ?? []),
      gone: names.filter((name) => !this.#known.has(name)),
    }
  }

  async stop(): Promise<void> {
    const registration = this.#registration
    this.#registration = undefined
    await (await registration)?.cancel().catch(() => {})
  }

  #put(report: ProcessReport): void {
    const known = this.#known.get(report.process)
    if (known && known.at >= report.at) return
    this.#known.set(report.process, report)
    this.#changed.add(report.process)
  }

  #register(): void {
    this.#isRegistered = true
    const lost = (): void => {
      this.#isRegistered = false
    }
    const onReport = ({ entry }: { readonly entry: ProcessReport }): void => {
      const report = reportFrom(entry)
      if (!report) return
      this.#seen.add(report.process)
      this.#put(report)
    }
    const terms = { leaseMs: Number.POSITIVE_INFINITY, onEnded: lost }
    this.#registration = this.#space.notify([ProcessPresence], onReport, terms).catch(() => {
      lost()
      return undefined
    })
  }
}

/** A report is an entry of the space: any process may have written it. */
function reportIn({ body }: Listed): ProcessReport | undefined {
  try {
    return reportFrom(decodeFields(body))
  } catch {
    return undefined
  }
}

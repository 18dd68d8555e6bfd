/** A refusal of the dashboard: the status of its response, and the rule that it comes from, in the body and the log. */

export class Refused extends Error {
  readonly status: number
  /** The name of the rule, as docs/dashboard.md has it. */
  readonly rule: string
  readonly details: Readonly<Record<string, unknown>>

  constructor(status: number, rule: string, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.status = status
    this.rule = rule
    this.details = details
  }
}

/** Of an act whose object is no longer what its user saw. */
export const changed = (what: string, now: unknown): Refused =>
  new Refused(409, 'changed', `${what} has changed since you saw it. Look again.`, { now })

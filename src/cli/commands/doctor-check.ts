/** One check of `takespace doctor`. */

export interface Check {
  readonly check: string
  /** `warn` should be looked at, `fail` keeps takespace from working. */
  readonly status: 'ok' | 'warn' | 'fail'
  readonly found: string
  /** The remedy; '' if the check is ok. */
  readonly todo: string
}

/** The problem and its remedy; false without a problem. */
export type Problem = false | ['warn' | 'fail', string]

export const check = (name: string, found: string, wrong: Problem): Check => ({
  check: name,
  status: wrong ? wrong[0] : 'ok',
  found,
  todo: wrong ? wrong[1] : '',
})

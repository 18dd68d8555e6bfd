/** How a space is rated, and what needs somebody. */

/** As a monitor rates it. */
export type Rating = 'good' | 'degraded' | 'bad'

export interface Need {
  readonly rating: 'degraded' | 'bad'
  /** The problem, and where it is. */
  readonly what: string
  /** The remedy. */
  readonly advice: string
}

/** The panels of the Grafana dashboard, as much of them as is looked at. */

export interface Dashboard {
  readonly panels: readonly {
    readonly title: string
    readonly targets?: readonly { readonly expr: string }[]
  }[]
}

/** Returns the panels that have queries. */
export const panelsOf = ({ panels }: Dashboard): { readonly title: string; readonly queries: readonly string[] }[] =>
  panels.flatMap(({ title, targets }) => (targets ? [{ title, queries: targets.map(({ expr }) => expr) }] : []))

/** Small parts that several pages use: states, loading, filters. */
import type { Rating } from '../../control/rating.js'
import { type CallError, get } from './api.js'
import { Icon } from './icons.js'
import { type ComponentChildren, useEffect, useState } from './preact.js'

/** A state: an icon and a word, never a color alone. */
export const State = ({ rating, children }: { readonly rating: Rating; readonly children: ComponentChildren }) => (
  <span class={`state ${rating}`}>
    <Icon name={rating} />
    {children}
  </span>
)

export const Panel = ({ title, more, children }: PanelTerms) => (
  <section class="panel" aria-label={title}>
    <header>
      <h2>{title}</h2>
      <div class="buttons">{more}</div>
    </header>
    {children}
  </section>
)

interface PanelTerms {
  readonly title: string
  readonly more?: ComponentChildren
  readonly children: ComponentChildren
}

export interface Loaded<T> {
  readonly value: T | undefined
  readonly failure: string
  readonly isLoading: boolean
  again(): void
}

/** Loads what a route shows, anew when `values` change or `again` is called. */
export function useRoute<T>(path: string, values: Readonly<Record<string, string>> = {}): Loaded<T> {
  const [loaded, setLoaded] = useState<{ value?: T; failure: string; isLoading: boolean }>({
    failure: '',
    isLoading: true,
  })
  const [round, setRound] = useState(0)
  const key = `${path} ${JSON.stringify(values)} ${round}`
  useEffect(() => {
    let isOver = false
    setLoaded((before) => ({ ...before, isLoading: true }))
    get<T>(path, values).then(
      (value) => isOver || setLoaded({ value, failure: '', isLoading: false }),
      (error: CallError) => isOver || setLoaded((before) => ({ ...before, failure: error.message, isLoading: false })),
    )
    return () => {
      isOver = true
    }
  }, [key])
  return { value: loaded.value, failure: loaded.failure, isLoading: loaded.isLoading, again: () => setRound(round + 1) }
}

/** The failure of a load, and the button to load again. */
export const LoadState = ({ failure, isLoading, again }: Omit<Loaded<unknown>, 'value'>) => (
  <>
    {failure && (
      <p class="failure" role="alert">
        {failure}
      </p>
    )}
    <button type="button" class="quiet" onClick={again} disabled={isLoading}>
      {isLoading ? 'Loading …' : 'Refresh'}
    </button>
  </>
)

/** A filter over the rows of a page; the key `/` reaches it. */
export const Filter = ({ value, onChange, label }: FilterTerms) => (
  <input
    class="filter"
    type="search"
    placeholder={label}
    aria-label={label}
    value={value}
    onInput={({ currentTarget }) => onChange(currentTarget.value)}
    spellcheck={false}
  />
)

interface FilterTerms {
  readonly value: string
  readonly label: string
  onChange(value: string): void
}

/** Fields of one thing, by name. */
export const Facts = ({ facts }: { readonly facts: readonly (readonly [string, ComponentChildren])[] }) => (
  <dl class="facts">
    {facts.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value === '' || value === undefined ? '–' : value}</dd>
      </div>
    ))}
  </dl>
)

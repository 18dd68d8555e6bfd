/** The line that stands on every page: the space, its critical numbers, and how old they are. */
import type { StoreState } from '../../control/store.js'
import { me } from './api.js'
import { second } from './clock.js'
import { Icon } from './icons.js'
import { ageMs, heldAt, holdOrGoOn, isOpen, isStale, link, processes, state } from './live.js'
import { State } from './parts.js'
import { useEffect, useState } from './preact.js'
import { bytesWords, clockWords, countWords, durationWords, numberWords } from './words.js'

/** How the age of what is shown is told, and since when nothing has come. */
function freshness(): string {
  const { ok, answeredAt, failures, error } = link.value
  if (heldAt.value > 0) return `held since ${clockWords(heldAt.value)}`
  if (!isOpen.value && isStale.value && state.value)
    return `no answer of the dashboard for ${durationWords(ageMs.value)}`
  if (!ok) {
    const since = answeredAt > 0 ? ` since ${clockWords(answeredAt)}` : ''
    return `Redis does not answer${since}; asked ${countWords(failures, 'time')}: ${error}`
  }
  return `as of ${Math.floor(ageMs.value / 1_000)} s ago`
}

export function Status() {
  const now = state.value
  const { environment = '', space = '' } = me.value ?? {}
  const waiting = now?.services.reduce((sum, each) => sum + each.waiting, 0) ?? 0
  const oldest = Math.max(0, ...(now?.services.map((each) => each.oldestMs) ?? []))
  return (
    <section class={isStale.value ? 'status stale' : 'status'} aria-label="State of the space">
      <span class="space">
        {space}
        {environment && <span class="badge">{environment}</span>}
      </span>
      {now && <State rating={now.rating}>{now.rating}</State>}
      {now && (
        <>
          <Figure name="waiting" value={numberWords(waiting)} />
          <Figure name="oldest" value={waiting > 0 ? durationWords(oldest) : '–'} />
          <Figure name="dead letters" value={numberWords(now.deadLetters)} />
          <Figure name="processes" value={numberWords(processes.value.size)} />
          <Figure name="paused" value={numberWords(now.pauses.length)} />
          {now.store && <Figure name="memory" value={memoryWords(now.store)} />}
          {now.store && <Figure name="if it is full" value={now.store.policy} isMinor />}
          <Figure name="durability" value={now.durability} isMinor />
        </>
      )}
      <span class="fresh">{freshness()}</span>
      <button type="button" class="quiet" aria-pressed={heldAt.value > 0} onClick={holdOrGoOn}>
        <Icon name={heldAt.value > 0 ? 'run' : 'pause'} />
        {heldAt.value > 0 ? 'Go on' : 'Hold'}
      </button>
      <Spoken />
    </section>
  )
}

const memoryWords = ({ usedBytes, limitBytes }: StoreState): string =>
  bytesWords(usedBytes) + (limitBytes > 0 ? ` of ${bytesWords(limitBytes)}` : '')

const Figure = ({ name, value, isMinor }: FigureTerms) => (
  <span class={isMinor ? 'figure minor' : 'figure'}>
    <b>{value}</b> {name}
  </span>
)

interface FigureTerms {
  readonly name: string
  readonly value: string
  /** Left out where there is no room. */
  readonly isMinor?: boolean
}

const SPOKEN_MS = 15_000

/** The summary for those who listen: polite, at most each 15 s, and only if it has changed. */
function Spoken() {
  const [said, say] = useState({ text: '', at: 0 })
  const now = state.value
  const text = now
    ? `${now.rating}. ${now.needs.length > 0 ? now.needs[0]!.what : 'Nothing needs you'}. ${countWords(now.deadLetters, 'dead letter')}.`
    : ''
  useEffect(() => {
    if (text !== said.text && second.value - said.at >= SPOKEN_MS) say({ text, at: second.value })
  }, [text, said, second.value])
  return (
    <span class="unseen" aria-live="polite">
      {said.text}
    </span>
  )
}

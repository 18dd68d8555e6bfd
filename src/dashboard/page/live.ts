/** What the dashboard sends each second, as signals. A hidden tab and one that is held are sent nothing, or show nothing new. */
import type { ProcessReport } from '../../control/kinds.js'
import type { SpaceState } from '../../control/state.js'
import type { LetterJob } from '../letter-jobs.js'
import type { LinkState } from '../sampler.js'
import { isOut, learnMe, pathOfRoute } from './api.js'
import { browserMs, second } from './clock.js'
import { computed, signal } from './preact.js'

interface Sample {
  readonly isWhole: boolean
  readonly link: LinkState
  readonly state?: SpaceState
  readonly changed: readonly ProcessReport[]
  readonly gone: readonly string[]
  readonly job?: LetterJob
}

export const state = signal<SpaceState | undefined>(undefined)
export const link = signal<LinkState>({ ok: true, answeredAt: 0, failures: 0, error: '' })
export const processes = signal<ReadonlyMap<string, ProcessReport>>(new Map())
export const job = signal<LetterJob | undefined>(undefined)
/** When the view was held: ms since 1970; 0 = it is not. */
export const heldAt = signal(0)
/** True while the stream to the dashboard is open. */
export const isOpen = signal(false)

/** On the clock of the browser: when the last sample of an answering space came. */
const heardAt = signal(browserMs())

const STALE_MS = 4_000

/** Age of what is shown, in ms. */
export const ageMs = computed(() => Math.max(second.value - heardAt.value, 0))
export const isStale = computed(() => ageMs.value > STALE_MS || !link.value.ok || !isOpen.value)

let source: EventSource | undefined
let missed: Sample[] = []
const MOST_MISSED = 600

function apply(sample: Sample): void {
  link.value = sample.link
  job.value = sample.job
  if (sample.state) state.value = sample.state
  if (sample.isWhole || sample.changed.length > 0 || sample.gone.length > 0) {
    const next = new Map(sample.isWhole ? [] : processes.value)
    for (const each of sample.changed) next.set(each.process, each)
    for (const name of sample.gone) next.delete(name)
    processes.value = next
  }
  if (sample.link.ok) heardAt.value = browserMs()
}

function hear({ data }: MessageEvent<string>): void {
  const sample = JSON.parse(data) as Sample
  isOpen.value = true
  if (heldAt.value === 0) return apply(sample)
  if (sample.isWhole || missed.length >= MOST_MISSED) missed = []
  missed.push(sample)
  // Whether the space answers is told all the same.
  link.value = sample.link
}

/** Begins to listen, or ends it while the tab is hidden. */
export function follow(): void {
  source?.close()
  source = undefined
  if (document.hidden || isOut.value) return
  source = new EventSource(pathOfRoute('events'))
  source.onmessage = hear
  source.onerror = () => {
    isOpen.value = false
    // The browser tries again by itself, unless it was refused.
    if (source?.readyState === EventSource.CLOSED) {
      setTimeout(follow, RETRY_MS)
      void learnMe()
    }
  }
}

const RETRY_MS = 2_000

export function holdOrGoOn(): void {
  if (heldAt.value === 0) {
    heldAt.value = browserMs()
    return
  }
  heldAt.value = 0
  for (const sample of missed) apply(sample)
  missed = []
}

document.addEventListener('visibilitychange', follow)

/** What the dashboard sends each second, as signals. A hidden tab and one that is held are sent nothing, or show nothing new. */
import type { ProcessReport } from '../../control/kinds.js'
import type { SpaceState } from '../../control/state.js'
import type { LetterJob } from '../letter-jobs.js'
import type { LinkState } from '../sampler.js'
import { isOut, learnMe } from './api.js'
import { browserMs, second } from './clock.js'
import { computed, signal } from './preact.js'
import { openStream } from './stream.js'

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
export const isStale = computed(() => ageMs.value > STALE_MS || !link.value.ok)

let close: (() => void) | undefined
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

function hear(sample: Sample): void {
  isOpen.value = true
  if (heldAt.value === 0) return apply(sample)
  if (sample.isWhole || missed.length >= MOST_MISSED) missed = []
  missed.push(sample)
  // Whether the space answers is told all the same.
  link.value = sample.link
}

/** All that this tab knows, for one that joins; not what is held. */
const whole = (): Sample | undefined =>
  state.value && heldAt.value === 0
    ? {
        isWhole: true,
        link: link.value,
        state: state.value,
        changed: [...processes.value.values()],
        gone: [],
        ...(job.value && { job: job.value }),
      }
    : undefined

/** Begins to listen, or ends it while the tab is hidden. */
export function follow(): void {
  close?.()
  close = undefined
  if (document.hidden || isOut.value) return
  close = openStream<Sample>({
    onSample: hear,
    whole,
    onCut(isRefused) {
      isOpen.value = false
      if (!isRefused) return
      setTimeout(follow, RETRY_MS)
      void learnMe()
    },
  })
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

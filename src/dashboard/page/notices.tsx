/** Notices: what has come of an act, for some seconds. */
import { signal } from './preact.js'

interface Notice {
  readonly id: number
  readonly text: string
  readonly isBad: boolean
}

const notices = signal<readonly Notice[]>([])
let last = 0
const SHOWN_MS = 8_000
const MOST_SHOWN = 4

export function tell(text: string, isBad = false): void {
  const notice = { id: ++last, text, isBad }
  notices.value = [...notices.value, notice].slice(-MOST_SHOWN)
  setTimeout(() => {
    notices.value = notices.value.filter((each) => each !== notice)
  }, SHOWN_MS)
}

export const Notices = () => (
  <div class="notices" role="status" aria-live="polite">
    {notices.value.map(({ id, text, isBad }) => (
      <p key={id} class={isBad ? 'notice bad' : 'notice'}>
        {text}
      </p>
    ))}
  </div>
)

/** The keys of the page, and the list of them. */
import { holdOrGoOn } from './live.js'
import { go, linkTo } from './place.js'
import { signal, useEffect, useRef } from './preact.js'
import { toggleTheme } from './theme.js'

/** Pages, each with its key. */
export const PAGES = [
  ['overview', 'Overview', 'o'],
  ['services', 'Services', 's'],
  ['processes', 'Processes', 'p'],
  ['requests', 'Requests', 'r'],
  ['tasks', 'Tasks', 't'],
  ['schedules', 'Schedules', 'c'],
  ['dead', 'Dead letters', 'd'],
  ['entries', 'Entries', 'e'],
  ['transactions', 'Transactions', 'x'],
  ['audit', 'Audit', 'a'],
] as const

const isListed = signal(false)
const STORED = 'takespace-keys'
/** Single keys disturb those who speak to their computer: they can be turned off (WCAG 2.1.4). */
const areOn = signal(localStorage.getItem(STORED) !== 'off')

export const listKeys = (): void => {
  isListed.value = true
}

function press(event: KeyboardEvent): void {
  const { key, ctrlKey, metaKey, altKey, target } = event
  const isTyping = target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
  if (ctrlKey || metaKey || altKey || isTyping || document.querySelector('dialog[open]')) return
  if (key === '?') return listKeys()
  if (!areOn.value) return
  const page = PAGES.find(([, , each]) => each === key)
  if (page) go(linkTo(page[0]))
  else if (key === 'h') holdOrGoOn()
  else if (key === 'l') toggleTheme()
  else if (key === '/') {
    event.preventDefault()
    document.querySelector<HTMLInputElement>('.filter')?.focus()
  }
}

addEventListener('keydown', press)

export function Keys() {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (isListed.value) dialog.current?.showModal()
  }, [isListed.value])
  if (!isListed.value) return null
  const close = (): void => {
    isListed.value = false
  }
  const turn = (event: { readonly currentTarget: HTMLInputElement }): void => {
    areOn.value = event.currentTarget.checked
    localStorage.setItem(STORED, areOn.value ? 'on' : 'off')
  }
  const others = [
    ['/', 'Filter'],
    ['h', 'Hold, or go on'],
    ['l', 'Light or dark'],
    ['?', 'This list'],
  ] as const
  return (
    <dialog ref={dialog} class="ask" aria-labelledby="keys-title" onClose={close}>
      <h2 id="keys-title">Keys</h2>
      <dl class="keys">
        {[...PAGES.map(([, name, key]) => [key, name] as const), ...others].map(([key, name]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{name}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input type="checkbox" checked={areOn.value} onChange={turn} />
        <span>Single keys act</span>
      </label>
      <div class="buttons">
        <button type="button" class="main" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  )
}

/** Asks before an act: what will happen, and for what removes work its name or number, typed. */
import { CallError } from './api.js'
import { tell } from './notices.js'
import { signal, useEffect, useRef, useState } from './preact.js'

export interface Question {
  readonly title: string
  readonly text: string
  /** The text of the button that does it. */
  readonly verb: string
  /** What is to be typed; undefined: nothing. */
  readonly confirm?: string
  /** Does it, and returns what to tell. */
  act(): Promise<string>
}

const asked = signal<Question | undefined>(undefined)

/** Shows the question; the act is done if the user agrees. */
export const askFirst = (question: Question): void => {
  asked.value = question
}

/** Does an act without a question. */
export const doNow = (act: () => Promise<string>): Promise<void> =>
  act().then(
    (text) => tell(text),
    (error: Error) => tell(error.message, true),
  )

export const Asking = () => (asked.value ? <Dialog key={asked.value.title} question={asked.value} /> : null)

function Dialog({ question }: { readonly question: Question }) {
  const { title, text, verb, confirm, act } = question
  const dialog = useRef<HTMLDialogElement>(null)
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState('')
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null
    dialog.current?.showModal()
    return () => before?.focus?.()
  }, [])
  const close = (): void => {
    asked.value = undefined
  }
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    try {
      tell(await act())
      close()
    } catch (error) {
      setFailure(error instanceof CallError ? error.message : String(error))
      setBusy(false)
    }
  }
  return (
    <dialog ref={dialog} class="ask" aria-labelledby="ask-title" onClose={close}>
      <form onSubmit={submit}>
        <h2 id="ask-title">{title}</h2>
        <p>{text}</p>
        {confirm !== undefined && (
          <label>
            <span>
              Type <code>{confirm}</code> to confirm
            </span>
            <input
              value={typed}
              onInput={({ currentTarget }) => setTyped(currentTarget.value)}
              autocomplete="off"
              spellcheck={false}
            />
          </label>
        )}
        {failure && (
          <p class="failure" role="alert">
            {failure}
          </p>
        )}
        <div class="buttons">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="main" disabled={busy || (confirm !== undefined && typed !== confirm)}>
            {verb}
          </button>
        </div>
      </form>
    </dialog>
  )
}

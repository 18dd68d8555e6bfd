/** A screen on a terminal: lines that are drawn anew, keys, and a prompt, by ANSI codes alone. */
import { printable } from './table.js'

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'
const CTRL_C = '\x03'
const BACKSPACE = '\x7f'
const ESCAPE = '\x1b'

export interface ScreenListener {
  /** Called for each key that is not of the prompt. */
  onKey(key: string): void
  /** Called when the screen is to be drawn anew: a key, or another size of the terminal. */
  onChange(): void
}

export class Screen {
  /** True once `q` or Ctrl-C was pressed. */
  isLeft = false
  readonly #listener: ScreenListener
  #prompt: { readonly label: string; text: string; readonly onText: (text: string) => void } | undefined
  #onWake: (() => void) | undefined
  readonly #onData = (data: Buffer): void => this.#read(data.toString())
  readonly #onResize = (): void => this.#listener.onChange()

  constructor(listener: ScreenListener) {
    this.#listener = listener
    const { stdin, stdout } = process
    stdout.write(ENTER)
    stdin.setRawMode?.(true)
    stdin.on('data', this.#onData).resume()
    stdout.on('resize', this.#onResize)
  }

  /** Draws as many lines as the terminal has; the prompt or `foot` is the last one. */
  draw(lines: readonly string[], foot: string): void {
    const { rows = 24, columns = 80 } = process.stdout
    const last = this.#prompt ? `${this.#prompt.label} ${this.#prompt.text}_` : foot
    const shown = [...lines.slice(0, rows - 1)]
    while (shown.length < rows - 1) shown.push('')
    const text = [...shown, last].map((line) => printable(line).slice(0, columns) + CLEAR_LINE).join('\r\n')
    process.stdout.write(HOME + text + CLEAR_BELOW)
  }

  /** Asks for a line; Escape ends the prompt without one. */
  ask(label: string, onText: (text: string) => void): void {
    this.#prompt = { label, text: '', onText }
  }

  /** Waits, or until the screen is left. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#onWake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Gives the terminal back. */
  leave(): void {
    this.isLeft = true
    process.stdin.off('data', this.#onData).pause()
    process.stdin.setRawMode?.(false)
    process.stdout.off('resize', this.#onResize)
    process.stdout.write(LEAVE)
    this.#onWake?.()
  }

  #read(data: string): void {
    // A key such as an arrow is one sequence.
    for (const key of data.startsWith(ESCAPE) ? [data] : data) {
      if (key === CTRL_C || (key === 'q' && !this.#prompt)) {
        this.isLeft = true
        this.#onWake?.()
        return
      }
      if (this.#prompt) this.#type(key)
      else this.#listener.onKey(key)
    }
    this.#listener.onChange()
  }

  #type(key: string): void {
    const prompt = this.#prompt!
    if (key === '\r' || key === '\n') {
      this.#prompt = undefined
      prompt.onText(prompt.text.trim())
    } else if (key === ESCAPE) this.#prompt = undefined
    else if (key === BACKSPACE) prompt.text = prompt.text.slice(0, -1)
    else if (key >= ' ' && !key.startsWith(ESCAPE)) prompt.text += key
  }
}

/** A secret from a terminal, which does not show it, or from the first line of standard input. */

const CTRL_C = '\x03'
const BACKSPACE = '\x7f'
const EXIT_INTERRUPTED = 130
const LONGEST = 10_000

/** Resolves with the line. The prompt is written to standard error, and only on a terminal. */
export async function askSecret(prompt: string): Promise<string> {
  const { stdin, stderr } = process
  if (!stdin.isTTY) {
    let text = ''
    for await (const chunk of stdin.setEncoding('utf8')) {
      text += chunk
      if (text.includes('\n') || text.length > LONGEST) break
    }
    return text.split(/\r?\n/, 1)[0]!
  }
  stderr.write(prompt)
  stdin.setRawMode(true)
  return new Promise((resolve) => {
    let typed = ''
    const end = (): void => {
      stdin.setRawMode(false)
      stdin.off('data', read).pause()
      stderr.write('\n')
    }
    const read = (data: Buffer): void => {
      for (const key of data.toString()) {
        if (key === '\r' || key === '\n') {
          end()
          return resolve(typed)
        }
        if (key === CTRL_C) {
          end()
          process.exit(EXIT_INTERRUPTED)
        }
        typed = key === BACKSPACE ? typed.slice(0, -1) : typed + key
      }
    }
    stdin.on('data', read).resume()
  })
}

/** Asks at the terminal for what was not given on the command line. */
import { createInterface } from 'node:readline/promises'
import { DEFAULTS, FRAMEWORKS, LANGUAGES } from './choice.js'

const QUESTIONS = { folder: 'Folder', framework: 'Framework', language: 'Language' }
const NAMES = { framework: FRAMEWORKS, language: LANGUAGES }

/** Returns what was given with an answer for each question. An empty answer is the default. */
export async function asked(given) {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answers = {}
    for (const [key, words] of Object.entries(QUESTIONS)) {
      answers[key] = given[key] ?? (await answerTo(terminal, words, NAMES[key], DEFAULTS[key]))
    }
    return { ...given, ...answers }
  } finally {
    terminal.close()
  }
}

/** Asks again until the answer is one of the names. */
async function answerTo(terminal, words, names, fallback) {
  const question = names ? `${words} (${names.join(', ')})` : words
  for (;;) {
    const answer = (await terminal.question(`${question} [${fallback}]: `)).trim() || fallback
    if (!names || names.includes(answer)) return answer
    console.log(`${JSON.stringify(answer)} is none of ${names.join(', ')}.`)
  }
}

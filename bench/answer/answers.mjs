/** Answers on disk: the samples of each question in bench/results, its chart in bench/charts, its section in bench/RESULTS.md. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { draw } from '../chart/draw.mjs'
import { conditions } from '../machine/conditions.mjs'
import { writeSection } from './page.mjs'
import { section } from './section.mjs'
import { summarise } from './summary.mjs'

const bench = fileURLToPath(new URL('..', import.meta.url))
const cache = fileURLToPath(new URL('../../.cache/bench', import.meta.url))

const fileOf = ({ letter, name }) => `${letter.toLowerCase()}-${name}`

/** Where the answers of one invocation go: those of `bench:quick` to .cache/bench, which leaves the committed ones alone. */
export class Answers {
  #quick
  #terms

  constructor({ quick, runs, seconds }) {
    this.#quick = quick
    this.#terms = { runs, seconds }
  }

  /** Writes what is known by now. Returns the answer. @param programs name → version of the servers in use */
  save(question, { samples, leftOut }, programs) {
    const base = this.#quick ? cache : bench
    const runs = 1 + Math.max(0, ...samples.map(({ run }) => run))
    const answer = {
      question: question.title,
      ...this.#terms,
      runs,
      conditions: conditions(question.packages ?? [], programs),
      leftOut,
      ...summarise(question, samples),
      samples,
    }
    mkdirSync(join(base, 'results'), { recursive: true })
    writeFileSync(join(base, 'results', `${fileOf(question)}.json`), `${JSON.stringify(answer, null, 2)}\n`)
    return answer
  }

  /** Draws the chart and writes the section. Returns the section. */
  publish(question, answer) {
    const base = this.#quick ? cache : bench
    const chart = answer.rows.length > 0 && `charts/${fileOf(question)}.svg`
    if (chart) {
      mkdirSync(join(base, 'charts'), { recursive: true })
      writeFileSync(join(base, chart), draw(question, answer))
    }
    const body = section(question, answer, chart)
    if (!this.#quick) writeSection(question.letter, body)
    return body
  }
}

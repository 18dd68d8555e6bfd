/** `npm run bench`: answers the questions, on servers of its own; progress on standard error, tables on standard output. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Answers } from './answer/answers.mjs'
import { measureQuestion } from './answer/measure.mjs'
import { Children } from './children.mjs'
import { question as requestReply } from './questions/a-request-reply/question.mjs'
import { question as http } from './questions/b-http/question.mjs'
import { question as unevenWork } from './questions/c-uneven-work/question.mjs'
import { question as kill } from './questions/d-kill/question.mjs'
import { question as growth } from './questions/e-growth/question.mjs'
import { question as footprint } from './questions/f-footprint/question.mjs'
import { freePort } from './redis.mjs'
import { programVersions } from './servers/programs.mjs'
import { Shelf } from './servers/shelf.mjs'

const QUESTIONS = [requestReply, http, unevenWork, kill, growth, footprint]
const DEFAULTS = { seconds: 2, runs: 3 }
const QUICK = { seconds: 1, runs: 1 }

const USAGE = `npm run bench -- [options]
${QUESTIONS.map(({ letter, title }) => `  ${letter}  ${title}`).join('\n')}

  --only A,C           some questions only
  --seconds N          measured each time (default ${DEFAULTS.seconds}; some questions take longer and say so)
  --runs N             of which the median is stated (default ${DEFAULTS.runs})
  --quick              a short form of the questions, under two minutes; leaves bench/results alone
  --cpu-profile DIR    each Node.js process leaves a CPU profile in DIR; bench/profile.mjs reads them

Writes bench/results, bench/charts and the answers in bench/RESULTS.md.
`

function settings() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seconds: { type: 'string' },
      runs: { type: 'string' },
      quick: { type: 'boolean', default: false },
      'cpu-profile': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const { quick } = values
  const otherwise = quick ? QUICK : DEFAULTS
  const integer = (name, max) => {
    const value = Number(values[name] ?? otherwise[name])
    if (!Number.isInteger(value) || value < 1 || value > max)
      throw new Error(`--${name} is an integer from 1 to ${max}, not ${values[name]}`)
    return value
  }
  const letters = values.only?.toUpperCase().split(',') ?? QUESTIONS.map(({ letter }) => letter)
  const unknown = letters.find((letter) => !QUESTIONS.some((question) => question.letter === letter))
  if (unknown !== undefined) throw new Error(`there is no question ${unknown}; npm run bench -- --help lists them`)
  return {
    help: values.help,
    quick,
    profileFolder: values['cpu-profile'],
    questions: QUESTIONS.filter(({ letter }) => letters.includes(letter)),
    seconds: integer('seconds', 600),
    runs: integer('runs', 100),
  }
}

const say = (line) => process.stderr.write(`${line}\n`)

/** Answers one question. Returns whether all of it is valid. */
async function answerOne(question, bench, answers) {
  const since = performance.now()
  const shelf = new Shelf()
  bench.shelf = shelf
  try {
    bench.redis = await shelf.get('redis')
    const versions = async () => ({ ...(await shelf.versions()), ...programVersions(question.programs ?? []) })
    const save = async (found) => answers.save(question, found, await versions())
    const found = await measureQuestion(question, bench, save, say)
    if (bench.aborted) return false
    const answer = await save(found)
    const body = answers.publish(question, answer)
    process.stdout.write(`## ${question.letter}. ${question.title}\n\n${body}\n\n`)
    say(`${question.letter} took ${Math.round((performance.now() - since) / 1000)} s`)
    return answer.rows.length > 0 && answer.rows.every(({ errors }) => errors === 0)
  } finally {
    await shelf.stop()
  }
}

async function main({ questions, quick, seconds, runs, profileFolder }) {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const bench = { children: new Children(profileFolder), freePort, folder, quick, seconds, runs, aborted: false }
  const abort = async () => {
    if (bench.aborted) process.exit(130)
    bench.aborted = true
    await bench.children.end()
    await bench.shelf?.stop()
    process.exit(130)
  }
  process.on('SIGINT', abort).on('SIGTERM', abort)
  const answers = new Answers({ quick, seconds, runs })
  for (const question of questions) {
    try {
      if (!(await answerOne(question, bench, answers))) process.exitCode = 1
    } catch (error) {
      say(`${question.letter} failed: ${error.stack}`)
      process.exitCode = 1
    }
  }
}

try {
  const given = settings()
  if (given.help) process.stdout.write(USAGE)
  else await main(given)
} catch (error) {
  say(`bench: ${error.message}`)
  process.exitCode = 1
}

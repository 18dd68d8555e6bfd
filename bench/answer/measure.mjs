/** Runs the contenders of a question in turns and hands over all samples after each, so that a failure loses nothing else. */
import { countForeign } from '../machine/foreign.mjs'
import { LeftOut } from '../servers/left-out.mjs'

/**
 * @param save is given what was found so far after each contender: `{ samples, leftOut }`
 * @returns the same at the end; `leftOut` has each contender that could not be measured, with the reason
 */
export async function measureQuestion(question, bench, save, say) {
  const samples = []
  const leftOut = new Map()
  const runs = question.runs?.(bench) ?? bench.runs
  for (let run = 0; run < runs && !bench.aborted; run++) {
    const all = question.contenders(bench)
    // Forwards and backwards, so that a slow stretch of the machine hurts all contenders.
    for (const contender of run % 2 === 0 ? all : all.reverse()) {
      if (leftOut.has(contender.name) || bench.aborted) continue
      const since = performance.now()
      const found = await attempt(contender, bench, run)
      if (bench.aborted) break
      if (found.why) leftOut.set(contender.name, found.why)
      samples.push(...found.samples.map((sample) => ({ contender: contender.name, run, ...sample })))
      save({ samples, leftOut: [...leftOut] })
      say(
        `${question.letter}, ${contender.name}, run ${run + 1} of ${runs}: ${outcomeOf(question, found)} (${secondsSince(since)} s)`,
      )
    }
  }
  return { samples, leftOut: [...leftOut] }
}

const secondsSince = (since) => Math.round((performance.now() - since) / 1000)

async function attempt(contender, bench, run) {
  const foreign = countForeign()
  try {
    const samples = [await contender.measure(bench, run)].flat()
    const around = foreign()
    // Some samples have the load of their own time, others that of the whole step.
    return { samples: samples.map((sample) => checked({ foreign: around, ...sample })) }
  } catch (error) {
    if (error instanceof LeftOut) return { samples: [], why: error.message }
    return { samples: [{ group: 'all', values: {}, errors: 1, firstError: error.message }] }
  } finally {
    await bench.children.end()
  }
}

/** A rate of zero is no figure: nothing was answered in time. */
const checked = (sample) =>
  sample.perSecond === 0 && !sample.errors ? { ...sample, errors: 1, firstError: 'nothing was answered' } : sample

function outcomeOf(question, { why, samples }) {
  if (why) return `left out: ${why}`
  const invalid = samples.find(({ errors }) => errors > 0)
  if (invalid) return `INVALID: ${String(invalid.firstError).split('\n')[0]}`
  const [{ key, digits, title }] = question.columns
  return `${samples.map(({ values }) => values[key]?.toFixed(digits) ?? '–').join(', ')} ${title}`
}

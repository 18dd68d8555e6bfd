/** Runs a decoder on changed inputs. A finding is an input that exhausts the stack, or takes longer than its length allows. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { randomOf } from '../damage/damage.js'
import type { Decoder } from './decoders.js'
import { mutate } from './mutate.js'

/** Inputs that once were findings. */
const KEPT = fileURLToPath(new URL('kept/', import.meta.url))

export interface Fuzzed {
  readonly executions: number
  readonly findings: readonly Buffer[]
  readonly slowestMs: number
}

const MOST_CORPUS = 500
/** Far more than any decoder needs; less than what a quadratic one takes. */
const SLOW_MS = 500
/** How often a slow input is timed again. */
const AGAIN = 3

type Fuzzable = Pick<Decoder, 'name'>

const folderOf = ({ name }: Fuzzable): string => `${KEPT}${name.replaceAll(' ', '-')}`

/** Returns the inputs that are kept for a decoder, or for the edge. */
export function keptFor(decoder: Fuzzable): Buffer[] {
  const folder = folderOf(decoder)
  return existsSync(folder) ? readdirSync(folder).map((file) => readFileSync(`${folder}/${file}`)) : []
}

export function keep(decoder: Fuzzable, input: Buffer): string {
  const file = `${folderOf(decoder)}/${createHash('sha256').update(input).digest('hex').slice(0, 16)}`
  mkdirSync(folderOf(decoder), { recursive: true })
  writeFileSync(file, input)
  return file
}

/** Returns whether a decoder gives a value or an error. */
export function isTotal({ decode }: Decoder, input: Buffer): boolean {
  try {
    decode(input)
  } catch (error) {
    return error instanceof Error && !(error instanceof RangeError && /call stack/.test(error.message))
  }
  return true
}

function timeOf(decoder: Decoder, input: Buffer): number {
  const since = performance.now()
  isTotal(decoder, input)
  return performance.now() - since
}

/** Runs a decoder until `enough`, which is given the number of executions. */
export function fuzz(decoder: Decoder, seed: number, enough: (executions: number) => boolean): Fuzzed {
  const random = randomOf(seed)
  const corpus = [...decoder.seeds, ...keptFor(decoder)]
  const findings: Buffer[] = []
  let executions = 0
  let slowestMs = 0
  const any = (): Buffer => corpus[Math.floor(random() * corpus.length)] as Buffer
  while (!enough(executions)) {
    const input = mutate(any(), any(), random)
    const since = performance.now()
    const isFine = isTotal(decoder, input)
    let ms = performance.now() - since
    // The process may have been paused: then the same input is fast.
    for (let i = 0; i < AGAIN && ms > SLOW_MS; i++) ms = Math.min(ms, timeOf(decoder, input))
    slowestMs = Math.max(slowestMs, ms)
    executions++
    if (!isFine || ms > SLOW_MS) findings.push(input)
    if (corpus.length < MOST_CORPUS && random() < 0.01) corpus.push(input)
  }
  return { executions, findings, slowestMs }
}

/**
 * `npm run fuzz -- --seconds N`: fuzzes each decoder for N seconds (default 60), keeps findings, and fails if there are any.
 * `npm run fuzz -- edge` fuzzes the HTTP edge.
 */
import { parseArgs } from 'node:util'
import { DECODERS } from './decoders.js'
import { EDGE, Edge, fuzzEdge } from './edge.js'
import { type Fuzzed, fuzz, keep } from './fuzz.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, only: { type: 'string' }, seed: { type: 'string' } },
})
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
console.log(`seed ${seed}`)

const timeIsUp = (): (() => boolean) => {
  const end = performance.now() + Number(values.seconds) * 1_000
  return () => performance.now() >= end
}

function report(what: { readonly name: string }, { executions, findings, slowestMs }: Fuzzed): void {
  console.log(`${what.name}: ${executions} executions, ${findings.length} findings, slowest ${slowestMs.toFixed(1)} ms`)
  for (const input of findings) console.log(`  kept: ${keep(what, input)}`)
  if (findings.length > 0) process.exitCode = 1
}

if (positionals.includes(EDGE.name)) {
  const edge = await Edge.open()
  const fuzzed = await fuzzEdge(edge, seed, timeIsUp())
  await edge.close()
  for (const reason of fuzzed.reasons) console.log(`  ${reason}`)
  report(EDGE, fuzzed)
} else {
  for (const decoder of DECODERS) {
    if (values.only !== undefined && decoder.name !== values.only) continue
    report(decoder, fuzz(decoder, seed, timeIsUp()))
  }
}

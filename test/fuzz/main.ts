/** `npm run fuzz -- --seconds N`: fuzzes each decoder for N seconds (default 60), keeps findings, and fails if there are any. */
import { parseArgs } from 'node:util'
import { DECODERS } from './decoders.js'
import { fuzz, keep } from './fuzz.js'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, only: { type: 'string' }, seed: { type: 'string' } },
})
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
console.log(`seed ${seed}`)
for (const decoder of DECODERS) {
  if (values.only !== undefined && decoder.name !== values.only) continue
  const end = performance.now() + Number(values.seconds) * 1_000
  const { executions, findings, slowestMs } = fuzz(decoder, seed, () => performance.now() >= end)
  console.log(
    `${decoder.name}: ${executions} executions, ${findings.length} findings, slowest ${slowestMs.toFixed(1)} ms`,
  )
  for (const input of findings) console.log(`  kept: ${keep(decoder, input)}`)
  if (findings.length > 0) process.exitCode = 1
}

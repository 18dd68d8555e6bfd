/** Every decoder of bytes from Redis and from proxies gives a value or an error for any input; `npm run fuzz` is the long form. */
import { expect, test } from '@jest/globals'
import { DECODERS } from './decoders.js'
import { fuzz, isTotal, keptFor } from './fuzz.js'

const RUNS = 1_000

for (const decoder of DECODERS) {
  test(`${decoder.name}: any bytes give a value or an error`, () => {
    for (const seed of decoder.seeds) expect(() => decoder.decode(seed)).not.toThrow()
    for (const input of keptFor(decoder)) expect(isTotal(decoder, input)).toBe(true)
    const { findings } = fuzz(decoder, 1, (executions) => executions >= RUNS)
    expect(findings.map((input) => input.toString('latin1').slice(0, 300))).toEqual([])
  })
}

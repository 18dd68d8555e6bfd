/** Fills a space with resident entries: of 20 kinds, three indexed fields each; ready when all are there. */
import { defineEntry, openSpace } from '../../dist/src/index.js'
import { begin, options } from './parent.mjs'

const PER_WRITE = 1_000
const WRITES_IN_FLIGHT = 2
const TRIES = 3
const kinds = Array.from({ length: 20 }, (_, k) => defineEntry(`Stock${k}`))
const space = await openSpace(options.url, { name: options.name })
const owners = Math.max(10, Math.round(options.entries / kinds.length / 50))
const entry = (i) => kinds[i % kinds.length]({ id: `i${i}`, owner: `o${i % owners}`, state: i % 5 })

/** On a busy machine a connection may be lost meanwhile; entries that are written twice change nothing here. */
async function write(entries) {
  for (let left = TRIES; left > 0; left--) {
    try {
      await space.writeAll(entries)
      return
    } catch (error) {
      if (left === 1) throw error
    }
  }
}

let next = 0
const lane = async () => {
  while (next < options.entries) {
    const from = next
    next = Math.min(options.entries, from + PER_WRITE)
    await write(Array.from({ length: next - from }, (_, i) => entry(from + i)))
  }
}
await Promise.all(Array.from({ length: WRITES_IN_FLIGHT }, lane))
await begin()

/** Pairs: one side takes and waits, the other writes what it waits for. Each side has a connection of its own. */
import { setTimeout as pause } from 'node:timers/promises'
import { defineEntry, openSpace } from '../../dist/src/index.js'
import { closedLoop } from './loop.mjs'
import { options } from './parent.mjs'

const Ball = defineEntry('Ball')
const [writer, taker] = await Promise.all([openSpace(options.url), openSpace(options.url)])
let pairs = 0
const free = Array.from({ length: options.inFlight }, () => Ball.template({ pair: ++pairs }))
const pairOf = new Map(free.map((template, i) => [template, i + 1]))

await closedLoop(async () => {
  const template = free.pop()
  const pair = pairOf.get(template)
  const taken = taker.take(template)
  if (options.everyMs > 0) await pause(options.everyMs)
  const since = performance.now()
  void writer.write(Ball({ pair }))
  const ball = await taken
  const took = performance.now() - since
  if (ball.pair !== pair) throw new Error('a ball came to another pair')
  free.push(template)
  return took
})

// A process of takers who all want the same entry, round by round. Says `waiting <round>` when all of them are asked for, `won <round>` for
// each one that got it, and `over <round> <how many>` once all have ended. Arguments: url, takers, rounds.
import { defineEntry, openSpace } from '../../../dist/src/index.js'

const Prize = defineEntry('Prize')
const Over = defineEntry('Over')
const [url, takers, rounds] = process.argv.slice(2).map((arg, i) => (i === 0 ? arg : Number(arg)))
const space = await openSpace(url)

for (let round = 0; round < rounds; round++) {
  const controller = new AbortController()
  const { signal } = controller
  let won = 0
  const all = Array.from({ length: takers }, async () => {
    try {
      await space.take(Prize.template({ round }), { signal })
    } catch (error) {
      if (error !== signal.reason) throw error
      return
    }
    won++
    console.log(`won ${round}`)
  })
  // What was asked before this is answered stands in the space.
  await space.readIfExists(Prize.template({ round: -1 }))
  console.log(`waiting ${round}`)
  await space.read(Over.template({ round }))
  controller.abort()
  await Promise.all(all)
  console.log(`over ${round} ${won}`)
}
await space.close()

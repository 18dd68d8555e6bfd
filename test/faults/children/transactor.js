// A process that takes a Task and writes two Dones for it under one transaction. Says `begun`, `took`, `wrote`, `committing`, `committed`,
// and at one of these ends or freezes itself: at once (`0`), so many turns of its event loop later (`7 turns`), or so many ms. Arguments: url, at
// which step, how much later, signal, lease of the transaction.
import { defineEntry, openSpace } from '../../../dist/src/index.js'

const Task = defineEntry('Task')
const Done = defineEntry('Done')
const [url, step, after, signal, leaseMs] = process.argv.slice(2)
const strike = () => process.kill(process.pid, signal)

function say(reached) {
  console.log(reached)
  if (reached !== step) return
  if (after === '0') strike()
  else if (after.endsWith(' turns')) strikeIn(Number.parseInt(after, 10))
  else setTimeout(strike, Number(after))
}

/** A turn takes microseconds, less than the way to Redis and back. */
function strikeIn(turns) {
  if (turns === 0) strike()
  else setImmediate(strikeIn, turns - 1)
}

const space = await openSpace(url)
process.on('SIGTERM', () => space.close())
try {
  const tx = await space.begin({ leaseMs: Number(leaseMs) })
  say('begun')
  const { n } = await space.take(Task, { tx })
  say('took')
  await space.write(Done({ n, part: 1 }), { tx })
  await space.write(Done({ n, part: 2, note: 'x'.repeat(3_000) }), { tx })
  say('wrote')
  const committed = tx.commit()
  say('committing')
  await committed
  say('committed')
} catch (error) {
  console.log(`refused ${error.code}`)
}
setInterval(() => {}, 1_000)

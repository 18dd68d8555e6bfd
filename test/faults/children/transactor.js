// A process that takes a Task and writes two Dones for it under one transaction. Says `begun`, `took`, `wrote`, `committing`, `committed`,
// and at one of these ends or freezes itself, so many ms later. Arguments: url, at which step, after how many ms, signal, lease of the transaction.
import { defineEntry, openSpace } from '../../../dist/src/index.js'

const Task = defineEntry('Task')
const Done = defineEntry('Done')
const [url, step, after, signal, leaseMs] = process.argv.slice(2)
const strike = () => process.kill(process.pid, signal)

function say(reached) {
  console.log(reached)
  if (reached !== step) return
  if (after === '0') strike()
  else setTimeout(strike, Number(after))
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

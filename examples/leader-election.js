/** Leader election: one of several programs leads; if it goes, a waiting one takes over with the state. Run it: node examples/leader-election.js */
import { defineEntry, openSpace } from 'takespace'

const Lead = defineEntry('Lead')
const space = await openSpace('memory:')

/** Who has taken the only entry leads. It is taken under a transaction, so it is back if its holder dies. */
async function candidate(name, lead) {
  const tx = await space.begin({ leaseMs: 60_000 })
  const { term, state } = await space.take(Lead, { tx })
  console.log(`${name} leads, term ${term}, state: ${state}`)
  const next = await lead(state)
  if (next === undefined) return tx.abort() // as if its process had died
  await space.write(Lead({ term: term + 1, state: next }), { tx })
  await tx.commit()
}

await space.write(Lead({ term: 1, state: 'nothing done' }))
const first = candidate('ada', async () => 'half done')
await first
const second = candidate('bo', async () => undefined)
await second
await candidate('cy', async (state) => `${state}, then all done`)
console.log('at last:', (await space.read(Lead)).state)

await space.close()

/* Output:
ada leads, term 1, state: nothing done
bo leads, term 2, state: half done
cy leads, term 2, state: half done
at last: half done, then all done
*/

/** Transactions: takes and writes that happen together or not at all. Run it: node examples/transactions.js */
import { defineEntry, openSpace } from 'takespace'

const Account = defineEntry('Account')
const space = await openSpace('memory:')
await space.writeAll([Account({ owner: 'ada', amount: 100 }), Account({ owner: 'bo', amount: 20 })])

/** Moves an amount, or throws and changes nothing. Nobody else sees an account while it is being changed. */
const move = (from, to, amount) =>
  space.transact(async (tx) => {
    const source = await space.take(Account.template({ owner: from }), { tx })
    const target = await space.take(Account.template({ owner: to }), { tx })
    await space.write(Account({ owner: to, amount: target.amount + amount }), { tx })
    if (source.amount < amount) throw new Error(`${from} has only ${source.amount}`)
    await space.write(Account({ owner: from, amount: source.amount - amount }), { tx })
  })

const show = async () => {
  const accounts = []
  for await (const { owner, amount } of space.contents(Account)) accounts.push(`${owner} ${amount}`)
  console.log(accounts.sort().join(', '))
}

await move('ada', 'bo', 30)
await show()

// The transaction is aborted: what it took is back, what it wrote is gone.
await move('ada', 'bo', 500).catch((error) => console.log('refused:', error.message))
await show()

await space.close()

/* Output:
ada 70, bo 50
refused: ada has only 70
ada 70, bo 50
*/

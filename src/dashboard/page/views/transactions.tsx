/** The transactions of all processes: whose they are, how long they last, what they keep from others; aborted. */
import type { ShownTransaction } from '../../../control/transactions.js'
import { may, post } from '../api.js'
import { askFirst } from '../ask.js'
import { LoadState, Panel, State, useRoute } from '../parts.js'
import { linkTo } from '../place.js'
import { Table } from '../table.js'
import { durationWords, numberWords, shortName } from '../words.js'

function askAbort({ id, held, written }: ShownTransaction, again: () => void): void {
  askFirst({
    title: 'Abort the transaction',
    text: `The ${numberWords(held)} entries that it holds are free again, the ${numberWords(written)} that it has written are gone, and its owner is told.`,
    verb: 'Abort',
    confirm: id,
    act: async () => {
      await post('transactions/abort', { id, confirm: id })
      again()
      return 'The transaction is aborted.'
    },
  })
}

export function Transactions() {
  const { value, ...loading } = useRoute<{ transactions: readonly ShownTransaction[] }>('transactions')
  return (
    <Panel title="Transactions" more={<LoadState {...loading} />}>
      <Table
        caption="Transactions, the one whose lease ends first first"
        columns={[
          { title: 'Id', cell: ({ id }) => <span class="code">{id}</span> },
          {
            title: 'Owner',
            cell: ({ presence, owner }) =>
              owner ? <a href={linkTo(`processes/${encodeURIComponent(presence)}`)}>{owner}</a> : shortName(presence),
          },
          {
            title: 'State',
            cell: ({ state }) => <State rating={state === 'open' ? 'good' : 'degraded'}>{state}</State>,
          },
          {
            title: 'Lease left',
            isNumber: true,
            sort: ({ remainingMs }) => remainingMs,
            cell: ({ state, remainingMs }) => (state === 'open' ? durationWords(remainingMs) : '–'),
          },
          { title: 'Holds', isNumber: true, sort: ({ held }) => held, cell: ({ held }) => numberWords(held) },
          {
            title: 'Wrote',
            isNumber: true,
            sort: ({ written }) => written,
            cell: ({ written }) => numberWords(written),
          },
          { title: 'Kinds', cell: ({ kinds }) => kinds.join(', ') || '–' },
          ...(may('transactions')
            ? [
                {
                  title: 'Acts',
                  cell: (transaction: ShownTransaction) =>
                    transaction.state === 'open' && (
                      <button type="button" onClick={() => askAbort(transaction, loading.again)}>
                        Abort<span class="unseen"> {transaction.id}</span>
                      </button>
                    ),
                },
              ]
            : []),
        ]}
        rows={value?.transactions ?? []}
        keyOf={({ id }) => id}
        empty={loading.isLoading ? 'Loading …' : 'No transaction is open.'}
      />
      <p class="note">
        The first 50. It holds what it has taken or read: nobody else takes that. What it has written nobody else sees.
      </p>
    </Panel>
  )
}

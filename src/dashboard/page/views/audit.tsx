/** The audit: who did what, when, from where, to how many, and what came of it. */
import type { AuditFields } from '../../../control/kinds.js'
import { Pager, usePages } from '../pages.js'
import { LoadState, Panel, State, useRoute } from '../parts.js'
import { Table } from '../table.js'
import { numberWords, timeWords } from '../words.js'

interface Trail {
  readonly acts: readonly AuditFields[]
  readonly next: string | null
  readonly total: number
}

export function AuditTrail() {
  const pages = usePages()
  const { value, ...loading } = useRoute<Trail>('audit', { after: pages.after })
  return (
    <Panel title="Audit" more={<LoadState {...loading} />}>
      <Table
        caption="Acts of operators, newest first"
        columns={[
          { title: 'When', cell: ({ at }) => timeWords(at) },
          { title: 'Who', cell: ({ by }) => <b>{by}</b> },
          { title: 'From', cell: ({ from }) => from },
          { title: 'Act', cell: ({ act }) => <code>{act}</code> },
          { title: 'On', cell: ({ target }) => <span class="long">{target}</span> },
          { title: 'Count', isNumber: true, cell: ({ count }) => numberWords(count) },
          {
            title: 'Outcome',
            cell: ({ outcome }) => (
              <State rating={outcome === 'done' ? 'good' : 'degraded'}>
                {outcome === 'begun' ? 'begun, no outcome' : outcome}
              </State>
            ),
          },
        ]}
        rows={value?.acts ?? []}
        keyOf={({ id }) => id}
        empty={loading.isLoading ? 'Loading …' : 'Nobody has acted within 30 days.'}
      />
      <Pager pages={pages} next={value?.next} />
      <p class="note">Of this page and of the commands; 30 days, at most 2,000.</p>
    </Panel>
  )
}

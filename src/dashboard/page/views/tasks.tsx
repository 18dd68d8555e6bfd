/** Tasks that run and wait, and the ticket of one by its id. */
import type { SeenRequest } from '../../../control/requests.js'
import type { FinishedTicket } from '../../finished-tickets.js'
import type { ShownField } from '../../shown-fields.js'
import { may, post } from '../api.js'
import { askFirst, doNow } from '../ask.js'
import { Fields } from '../fields.js'
import { Facts, Filter, LoadState, Panel, useRoute } from '../parts.js'
import { go, linkTo, thingName } from '../place.js'
import { useState } from '../preact.js'
import { Table } from '../table.js'
import { durationWords, shortName, timeWords } from '../words.js'

interface Status {
  readonly state: string
  readonly attempt: number
  readonly progress: string
  readonly error: string
  readonly dueAt?: number
}

interface SeenTask extends SeenRequest {
  readonly ticket: string
  readonly status: Status | null
}

function askCancel(id: string, again: () => void): void {
  askFirst({
    title: 'Cancel the task',
    text: 'It does not run (again); if it runs, its signal fires.',
    verb: 'Cancel the task',
    confirm: id,
    act: async () => {
      await post('tickets/cancel', { id, confirm: id })
      again()
      return `The task of ${id} is cancelled.`
    },
  })
}

export function Tasks() {
  const { value, ...loading } = useRoute<{ tasks: readonly SeenTask[] }>('tasks')
  const [id, setId] = useState(thingName.value)
  return (
    <>
      <Panel title="Tasks" more={<LoadState {...loading} />}>
        <Table
          caption="Tasks that run and that wait"
          columns={[
            {
              title: 'Ticket',
              cell: ({ ticket, id: request }) =>
                ticket ? (
                  <a class="code" href={linkTo(`tasks/${ticket}`)}>
                    {ticket}
                  </a>
                ) : (
                  <span class="code">{request}</span>
                ),
            },
            { title: 'Task', sort: ({ path }) => path, cell: ({ path }) => <b>{path}</b> },
            { title: 'Service', cell: ({ service }) => service },
            { title: 'State', cell: ({ status, state }) => status?.state ?? state },
            { title: 'Attempt', isNumber: true, cell: ({ status }) => status?.attempt ?? '–' },
            { title: 'Progress', cell: ({ status }) => status?.progress || '–' },
            { title: 'Age', isNumber: true, sort: ({ ageMs }) => ageMs, cell: ({ ageMs }) => durationWords(ageMs) },
            { title: 'Where or why', cell: ({ process, why }) => (process ? shortName(process) : why) },
          ]}
          rows={value?.tasks ?? []}
          keyOf={({ id: request }) => request}
          empty={loading.isLoading ? 'Loading …' : 'No task runs for long, and none waits.'}
        />
      </Panel>
      <Finished />
      <Panel title="Ticket" more={<Filter value={id} onChange={setId} label="Id of a ticket" />}>
        {id ? <Ticket key={id} id={id} /> : <p class="empty">Give the id of a ticket, as client.enqueue returns it.</p>}
        {id && id !== thingName.value && (
          <button type="button" class="quiet" onClick={() => go(linkTo(`tasks/${encodeURIComponent(id)}`))}>
            Link to it
          </button>
        )}
      </Panel>
    </>
  )
}

/** Asked for by a click: tickets are in no index, so all entries are looked through. */
function Finished() {
  const [isAsked, setAsked] = useState(false)
  return isAsked ? (
    <FinishedTickets />
  ) : (
    <Panel
      title="Finished"
      more={
        <button type="button" onClick={() => setAsked(true)}>
          Look for finished tasks
        </button>
      }
    >
      <p class="empty">
        It looks through the entries of the space, for at most 2 s. Failed tasks are among the dead letters.
      </p>
    </Panel>
  )
}

function FinishedTickets() {
  const { value, ...loading } = useRoute<{ tickets: readonly FinishedTicket[]; isWhole: boolean }>('tickets')
  return (
    <Panel title="Finished" more={<LoadState {...loading} />}>
      <Table
        caption="Tickets with an outcome, the newest first"
        columns={[
          {
            title: 'Ticket',
            cell: ({ id }) => (
              <a class="code" href={linkTo(`tasks/${encodeURIComponent(id)}`)}>
                {id}
              </a>
            ),
          },
          { title: 'Of', sort: ({ what }) => what, cell: ({ what }) => what },
          { title: 'Outcome', sort: ({ state }) => state, cell: ({ state, error }) => error || state },
          { title: 'Attempt', isNumber: true, cell: ({ attempt }) => attempt },
          { title: 'Opened', sort: ({ openedAt }) => openedAt, cell: ({ openedAt }) => timeWords(openedAt) },
          { title: 'Kept for', isNumber: true, cell: ({ keptMs }) => durationWords(Math.max(keptMs, 0)) },
        ]}
        rows={value?.tickets ?? []}
        keyOf={({ id }) => id}
        empty={loading.isLoading ? 'Loading …' : 'No outcome is kept.'}
      />
      {value && !value.isWhole && <p class="note">There are more: these are the newest of those that were found.</p>}
    </Panel>
  )
}

function Ticket({ id }: { readonly id: string }) {
  const { value, ...loading } = useRoute<Status>(`tickets/${encodeURIComponent(id)}`)
  const [fields, setFields] = useState<readonly ShownField[] | undefined>(undefined)
  if (!value) return <LoadState {...loading} />
  const isFinished = ['completed', 'failed', 'cancelled', 'expired'].includes(value.state)
  const show = (): Promise<void> =>
    doNow(async () => {
      setFields((await post<{ fields: ShownField[] }>('tickets/result', { id })).fields)
      return 'That you have seen the result is in the audit.'
    })
  return (
    <>
      <Facts
        facts={[
          ['Ticket', <code key="id">{id}</code>],
          ['State', value.state],
          ['Attempt', value.attempt],
          ['Progress', value.progress],
          ['Error', value.error],
          ['Due', value.dueAt ? timeWords(value.dueAt) : ''],
        ]}
      />
      {fields && <Fields fields={fields} />}
      <div class="buttons">
        {!isFinished && may('tasks') && (
          <button type="button" onClick={() => askCancel(id, loading.again)}>
            Cancel the task
          </button>
        )}
        {value.state === 'completed' && may('bodies') && !fields && (
          <button type="button" onClick={show}>
            Show the result
          </button>
        )}
        <LoadState {...loading} />
      </div>
    </>
  )
}

/** Requests that run and that wait, with the process or the reason. */
import type { SeenRequest } from '../../../control/requests.js'
import { may, post } from '../api.js'
import { askFirst } from '../ask.js'
import { Filter, LoadState, Panel, useRoute } from '../parts.js'
import { go, linkTo, placeValues } from '../place.js'
import { type Column, Table } from '../table.js'
import { durationWords, shortName } from '../words.js'

interface Found {
  readonly requests: readonly SeenRequest[]
  readonly isWhole: boolean
}

function askWithdraw({ id, method, path, state }: SeenRequest, again: () => void): void {
  const effect = state === 'running' ? 'Its handler is told to stop.' : 'No worker will run it.'
  askFirst({
    title: 'Withdraw the request',
    text: `${method} ${path}. ${effect} Its client gets 504 at its deadline.`,
    verb: 'Withdraw',
    confirm: id,
    act: async () => {
      await post('requests/withdraw', { id, confirm: id })
      again()
      return `${id} is withdrawn.`
    },
  })
}

export const requestColumns = (again: () => void): Column<SeenRequest>[] => [
  { title: 'Request', cell: ({ id }) => <span class="code">{id}</span> },
  { title: 'State', cell: ({ state }) => state },
  { title: 'Service', sort: ({ service }) => service, cell: ({ service }) => service },
  {
    title: 'What',
    sort: ({ path }) => path,
    cell: ({ method, path }) => (
      <>
        <b>{method}</b> {path}
      </>
    ),
  },
  { title: 'Age', isNumber: true, sort: ({ ageMs }) => ageMs, cell: ({ ageMs }) => durationWords(ageMs) },
  {
    title: 'Left',
    isNumber: true,
    sort: ({ leftMs = 0 }) => leftMs,
    cell: ({ leftMs }) => (leftMs === undefined ? '–' : durationWords(Math.max(leftMs, 0))),
  },
  { title: 'Deaths', isNumber: true, cell: ({ deaths }) => deaths ?? '–' },
  {
    title: 'Where or why',
    cell: ({ process, why }) =>
      process ? (
        <a class="code" href={linkTo(`processes/${encodeURIComponent(process)}`)}>
          {shortName(process)}
        </a>
      ) : (
        why
      ),
  },
  ...(may('cancel')
    ? [
        {
          title: 'Acts',
          cell: (request: SeenRequest) => (
            <button type="button" onClick={() => askWithdraw(request, again)}>
              Withdraw<span class="unseen"> {request.id}</span>
            </button>
          ),
        },
      ]
    : []),
]

export function Requests() {
  const values = { service: placeValues.value.get('service') ?? '', id: placeValues.value.get('id') ?? '' }
  const { value, ...loading } = useRoute<Found>('requests', values)
  const set = (changed: Partial<typeof values>): void => go(linkTo('requests', { ...values, ...changed }))
  return (
    <Panel
      title="Requests"
      more={
        <>
          <Filter value={values.id} onChange={(id) => set({ id })} label="Find by id" />
          <Filter value={values.service} onChange={(service) => set({ service })} label="Service" />
          <LoadState {...loading} />
        </>
      }
    >
      <Table
        caption="Requests, the oldest that run first, then those that wait"
        columns={requestColumns(loading.again)}
        rows={value?.requests ?? []}
        keyOf={({ id }) => id}
        empty={loading.isLoading ? 'Loading …' : 'Nothing runs for long, and nothing waits.'}
      />
      <p class="note">
        The five oldest of each worker, and the first 50 that wait. Queries, headers and bodies are not shown.
      </p>
    </Panel>
  )
}

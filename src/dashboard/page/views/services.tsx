/** The services: what waits for each, who takes it, and pauses. */
import type { PauseFields } from '../../../control/kinds.js'
import type { Rating } from '../../../control/rating.js'
import type { ServiceState } from '../../../control/state.js'
import { get, may, post } from '../api.js'
import { askFirst, doNow } from '../ask.js'
import { second } from '../clock.js'
import { heldAt, state } from '../live.js'
import { Filter, Panel, State } from '../parts.js'
import { linkTo } from '../place.js'
import { useEffect, useState } from '../preact.js'
import { Spark } from '../spark.js'
import { type Column, Table } from '../table.js'
import { ageWords, durationWords, numberWords, rateWords, shareWords } from '../words.js'

type Sparks = Readonly<Record<string, readonly number[]>>

const LONG_WAIT_MS = 5_000
const STEP_MS = 5_000

/** The same rules as those of the needs. */
function ratingOf({ paused, waiting, workers, oldestMs }: ServiceState): [Rating, string] {
  if (paused !== 'no') return ['degraded', paused === 'refused' ? 'paused, refused' : 'paused']
  if (waiting > 0 && workers === 0) return ['bad', 'nobody takes it']
  if (oldestMs > LONG_WAIT_MS) return ['degraded', 'waits long']
  return workers === 0 ? ['good', 'no workers'] : ['good', 'running']
}

const pause = (what: string, name: string, refuses: boolean) => async (): Promise<string> => {
  await post('pause', { what, name, refuses })
  return `The ${what} ${name} is paused.`
}

const resume = (what: string, name: string): Promise<void> =>
  doNow(async () => {
    await post('resume', { what, name })
    return `The ${what} ${name} goes on.`
  })

function askPause(name: string, waiting: number, refuses: boolean): void {
  const effect = refuses ? 'Gateways answer its requests with 503 at once.' : 'Its requests wait until their deadline.'
  askFirst({
    title: `Pause ${name}`,
    text: `Workers take no more requests of ${name}; ${numberWords(waiting)} wait now. ${effect} It lasts until somebody resumes it.`,
    verb: 'Pause',
    act: pause('service', name, refuses),
  })
}

const Acts = ({ service }: { readonly service: ServiceState }) => {
  const { name, paused, waiting } = service
  if (!may('pause')) return null
  return paused === 'no' ? (
    <span class="buttons">
      <button type="button" onClick={() => askPause(name, waiting, false)}>
        Pause<span class="unseen"> {name}</span>
      </button>
      <button type="button" onClick={() => askPause(name, waiting, true)}>
        Refuse<span class="unseen"> {name}</span>
      </button>
    </span>
  ) : (
    <button type="button" class="main" onClick={() => resume('service', name)}>
      Resume<span class="unseen"> {name}</span>
    </button>
  )
}

function useSparks(): Sparks {
  const [sparks, setSparks] = useState<Sparks>({})
  useEffect(() => {
    const load = (): void => {
      if (document.hidden || heldAt.value > 0) return
      get<{ sparks: Sparks }>('services').then(
        (found) => setSparks(found.sparks),
        () => {},
      )
    }
    load()
    const timer = setInterval(load, STEP_MS)
    return () => clearInterval(timer)
  }, [])
  return sparks
}

const columnsWith = (sparks: Sparks): Column<ServiceState>[] => [
  {
    title: 'Service',
    sort: ({ name }) => name,
    cell: ({ name }) => <a href={linkTo('requests', { service: name })}>{name}</a>,
  },
  {
    title: 'State',
    sort: (each) => ['bad', 'degraded', 'good'].indexOf(ratingOf(each)[0]),
    cell: (each) => {
      const [rating, words] = ratingOf(each)
      return <State rating={rating}>{words}</State>
    },
  },
  { title: 'Waiting', isNumber: true, sort: ({ waiting }) => waiting, cell: ({ waiting }) => numberWords(waiting) },
  {
    title: 'Last 5 min',
    cell: ({ name }) => <Spark values={sparks[name] ?? []} label={`Requests that wait for ${name}`} />,
  },
  {
    title: 'Oldest',
    isNumber: true,
    sort: ({ oldestMs }) => oldestMs,
    cell: ({ waiting, oldestMs }) => (waiting > 0 ? durationWords(oldestMs) : '–'),
  },
  {
    title: 'A second',
    isNumber: true,
    sort: ({ perSecond }) => perSecond,
    cell: ({ perSecond }) => rateWords(perSecond),
  },
  {
    title: 'Errors',
    isNumber: true,
    sort: ({ errorShare }) => errorShare,
    cell: ({ perSecond, errorShare }) => (perSecond > 0 ? shareWords(errorShare) : '–'),
  },
  {
    title: 'Wait p95',
    isNumber: true,
    sort: ({ waitP95Ms }) => waitP95Ms,
    cell: ({ waitP95Ms }) => (waitP95Ms > 0 ? durationWords(waitP95Ms) : '–'),
  },
  {
    title: 'Run p95',
    isNumber: true,
    sort: ({ runP95Ms }) => runP95Ms,
    cell: ({ runP95Ms }) => (runP95Ms > 0 ? durationWords(runP95Ms) : '–'),
  },
  {
    title: 'In flight',
    isNumber: true,
    sort: ({ held }) => held,
    cell: ({ held, capacity }) => `${numberWords(held)} of ${numberWords(capacity)}`,
  },
  { title: 'Workers', isNumber: true, sort: ({ workers }) => workers, cell: ({ workers }) => numberWords(workers) },
  ...(may('pause') ? [{ title: 'Acts', cell: (service: ServiceState) => <Acts service={service} /> }] : []),
]

const PAUSES: Column<PauseFields>[] = [
  { title: 'Paused', cell: ({ what, name }) => `${what} ${name}` },
  { title: 'Requests', cell: ({ refuses }) => (refuses ? 'are refused' : 'wait') },
  { title: 'By', cell: ({ by }) => by },
  { title: 'For', cell: ({ since }) => ageWords(since, second.value) },
  {
    title: 'Acts',
    cell: ({ what, name }) =>
      may('pause') && (
        <button type="button" onClick={() => resume(what, name)}>
          Resume<span class="unseen"> {name}</span>
        </button>
      ),
  },
]

export function Services() {
  const [text, setText] = useState('')
  const [isIll, setIll] = useState(false)
  const sparks = useSparks()
  const { services = [], pauses = [] } = state.value ?? {}
  const shown = services.filter((each) => each.name.includes(text) && (!isIll || ratingOf(each)[0] !== 'good'))
  return (
    <>
      <Panel
        title="Services"
        more={
          <>
            <Filter value={text} onChange={setText} label="Filter services" />
            <button type="button" class="quiet" aria-pressed={isIll} onClick={() => setIll(!isIll)}>
              Only ill
            </button>
          </>
        }
      >
        <Table
          caption="Services, with what waits for them"
          columns={columnsWith(sparks)}
          rows={shown}
          keyOf={({ name }) => name}
          empty={isIll ? 'No service is ill.' : 'No process has a service.'}
          isLive
        />
      </Panel>
      {pauses.length > 0 && (
        <Panel title="Pauses">
          <Table
            caption="Pauses"
            columns={PAUSES}
            rows={pauses}
            keyOf={({ what, name }) => `${what} ${name}`}
            empty=""
          />
        </Panel>
      )}
    </>
  )
}

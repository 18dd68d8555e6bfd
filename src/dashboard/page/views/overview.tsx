/** The overview: what needs somebody, and the charts of the space. */
import type { HistoryPart } from '../../history.js'
import { get } from '../api.js'
import { Chart, type ChartLine } from '../chart.js'
import { heldAt, processes, state } from '../live.js'
import { Panel, State } from '../parts.js'
import { linkTo } from '../place.js'
import { useEffect, useState } from '../preact.js'
import { countWords, durationWords, numberWords, rateWords } from '../words.js'

const STEP_MS = 5_000

const WAITING: readonly ChartLine[] = [{ label: 'waiting', series: 'waiting', color: 1 }]
/** While nothing is taken the p95 is silent: the oldest one tells. */
const WAIT: readonly ChartLine[] = [
  { label: '95 % of those taken', series: 'waitP95Ms', color: 1 },
  { label: 'oldest', series: 'oldestMs', color: 3 },
]
const RUN: readonly ChartLine[] = [{ label: '95 %', series: 'runP95Ms', color: 1 }]
const DONE: readonly ChartLine[] = [
  { label: 'finished', series: 'perSecond', color: 1 },
  { label: 'failed', series: 'failedPerSecond', color: 3 },
]
const HELD: readonly ChartLine[] = [
  { label: 'in flight', series: 'held', color: 1 },
  { label: 'capacity', series: 'capacity', color: 2 },
]
const PROCESSES: readonly ChartLine[] = [{ label: 'processes', series: 'processes', color: 1 }]
const DEAD: readonly ChartLine[] = [{ label: 'dead letters', series: 'deadLetters', color: 3 }]

function useHistory(span: string): HistoryPart | undefined {
  const [history, setHistory] = useState<HistoryPart | undefined>(undefined)
  useEffect(() => {
    const load = (): void => {
      if (document.hidden || heldAt.value > 0) return
      get<HistoryPart>('history', { span }).then(setHistory, () => {})
    }
    load()
    const timer = setInterval(load, STEP_MS)
    return () => clearInterval(timer)
  }, [span])
  return history
}

/** Where the remedy is; otherwise at the services. */
const PLACES: readonly [RegExp, string][] = [
  [/dead letters/, 'dead'],
  [/^process/, 'processes'],
  [/^Redis/, 'overview'],
]

const placeOf = (what: string): string => PLACES.find(([is]) => is.test(what))?.[1] ?? 'services'

export function Overview() {
  const [span, setSpan] = useState('hour')
  const history = useHistory(span)
  const now = state.value
  if (!now) return <p class="empty">Waiting for the first answer of the space …</p>
  const { needs, services, deadLetters } = now
  const sum = (of: (service: (typeof services)[number]) => number): number =>
    services.reduce((total, each) => total + of(each), 0)
  const workers = [...processes.value.values()].filter(({ roles }) => roles.includes('worker'))
  const inFlight = workers.reduce((total, { held }) => total + held, 0)
  const capacity = workers.reduce((total, each) => total + each.capacity, 0)
  const waiting = sum((service) => service.waiting)
  const oldestMs = Math.max(0, ...services.map((service) => service.oldestMs))
  return (
    <>
      <section class="tiles" aria-label="Numbers">
        <Tile name="Waiting" value={numberWords(waiting)} to="requests" />
        <Tile name="Oldest" value={waiting > 0 ? durationWords(oldestMs) : '–'} to="requests" />
        <Tile name="In flight" value={`${numberWords(inFlight)} of ${numberWords(capacity)}`} to="processes" />
        <Tile name="Finished a second" value={rateWords(sum((service) => service.perSecond))} to="processes" />
        <Tile name="Processes" value={numberWords(processes.value.size)} to="processes" />
        <Tile name="Dead letters" value={numberWords(deadLetters)} to="dead" />
        <Tile name="Paused" value={numberWords(now.pauses.length)} to="services" />
      </section>
      <Panel title="What needs you">
        {needs.length === 0 ? (
          <p class="empty">
            <State rating="good">Nothing</State>
          </p>
        ) : (
          <ul class="needs">
            {needs.map(({ rating, what, advice }) => (
              <li key={what}>
                <State rating={rating}>{rating}</State>
                <a href={linkTo(placeOf(what))}>{what}</a>
                <span class="advice">{advice}</span>
              </li>
            ))}
          </ul>
        )}
      </Panel>
      <Panel
        title="History"
        more={['hour', 'day'].map((each) => (
          <button key={each} type="button" class="quiet" aria-pressed={span === each} onClick={() => setSpan(each)}>
            {each === 'hour' ? 'Last hour' : 'Last day'}
          </button>
        ))}
      >
        <div class="charts">
          <Chart title="Requests a second" history={history} lines={DONE} textOf={rateWords} />
          <Chart title="Requests that wait" history={history} lines={WAITING} textOf={numberWords} />
          <Chart title="Wait, of the slowest service" history={history} lines={WAIT} textOf={durationWords} />
          <Chart title="Time of the app, of the slowest service" history={history} lines={RUN} textOf={durationWords} />
          <Chart title="Requests in flight" history={history} lines={HELD} textOf={numberWords} />
          <Chart title="Processes" history={history} lines={PROCESSES} textOf={numberWords} />
          <Chart title="Dead letters" history={history} lines={DEAD} textOf={numberWords} />
        </div>
        <p class="note">
          Kept by this dashboard since its start, at most {countWords(24, 'hour')}; for longer, read /metrics.
        </p>
      </Panel>
    </>
  )
}

const Tile = ({ name, value, to }: { readonly name: string; readonly value: string; readonly to: string }) => (
  <a class="tile" href={linkTo(to)}>
    <span class="name">{name}</span>
    <span class="value">{value}</span>
  </a>
)

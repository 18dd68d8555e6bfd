/** The processes: what each holds, and orders for one, a host or a release. */
import type { ProcessReport } from '../../../control/kinds.js'
import { may, post } from '../api.js'
import { askFirst } from '../ask.js'
import { second } from '../clock.js'
import { processes } from '../live.js'
import { Facts, Filter, Panel, State } from '../parts.js'
import { linkTo, thingName } from '../place.js'
import { useState } from '../preact.js'
import { type Column, Table } from '../table.js'
import { ageWords, bytesWords, countWords, durationWords, numberWords, shortName, timeWords } from '../words.js'

const LONG_LAG_MS = 1_000

const ratingOf = ({ state, loopLagMs }: ProcessReport) =>
  loopLagMs > LONG_LAG_MS || state !== 'running' ? ('degraded' as const) : ('good' as const)

const takes = ({ roles }: ProcessReport): boolean => roles.some((role) => role === 'worker' || role === 'gateway')

/** The state, and how much is left with one that takes nothing new. */
const stateWords = ({ state, held }: ProcessReport): string =>
  state === 'draining' ? `draining, ${held} left` : state === 'drained' ? 'drained, nothing is left' : state

/** The same of the processes of a host or a release. */
function drainWords(all: readonly ProcessReport[]): string {
  const takers = all.filter(takes)
  const told = takers.filter(({ state }) => state !== 'running')
  if (told.length === 0) return 'running'
  const left = told.filter(({ state }) => state !== 'drained')
  const how = left.length === 0 ? 'nothing is left' : `${heldBy(left)} left with ${left.length}`
  return told.length === takers.length ? how : `${told.length} of ${takers.length} drain: ${how}`
}

const WORDS: Readonly<Record<string, { verb: string; effect: string }>> = {
  drain: { verb: 'Drain', effect: 'They take nothing new and finish what they hold.' },
  resume: { verb: 'Take again', effect: 'They take requests again.' },
  recall: { verb: 'Recall', effect: 'They give back what their app has not begun.' },
  stop: { verb: 'Stop', effect: 'They drain and end; a supervisor replaces those it has started.' },
}

interface Obeyed {
  readonly obeyed: readonly { readonly refusal: string }[]
}

/** Asks, and gives the order to the processes as they are seen now. */
export function askOrder(order: string, chosen: readonly ProcessReport[], whom: string): void {
  const { verb, effect } = WORDS[order]!
  const held = chosen.reduce((sum, each) => sum + each.held, 0)
  const seen = Object.fromEntries(chosen.map(({ process, release }) => [process, release]))
  askFirst({
    title: `${verb} ${whom}`,
    text: `${countWords(chosen.length, 'process', 'processes')} with ${countWords(held, 'request')} in flight. ${effect}`,
    verb,
    ...(order === 'stop' && { confirm: String(chosen.length) }),
    act: async () => {
      const names = chosen.map(({ process }) => process)
      const body = { order, processes: names, seen, ...(order === 'stop' && { confirm: String(names.length) }) }
      const { obeyed } = await post<Obeyed>('processes/order', body)
      const refusals = obeyed.flatMap(({ refusal }) => refusal || [])
      return refusals.length > 0
        ? `${refusals.length} of ${obeyed.length} do not obey: ${refusals[0]}`
        : `${countWords(obeyed.length, 'process obeys', 'processes obey')}.`
    },
  })
}

const Acts = ({ process }: { readonly process: ProcessReport }) => {
  if (!may('processes')) return null
  const name = `process ${shortName(process.process)}`
  const button = (order: string, text: string) => (
    <button key={order} type="button" onClick={() => askOrder(order, [process], name)}>
      {text}
      <span class="unseen"> {name}</span>
    </button>
  )
  const isDrained = process.state === 'draining' || process.state === 'drained'
  return (
    <span class="buttons">
      {takes(process) && (isDrained ? button('resume', 'Take again') : button('drain', 'Drain'))}
      {process.roles.includes('worker') && button('recall', 'Recall')}
      {button('stop', 'Stop')}
    </span>
  )
}

const COLUMNS: Column<ProcessReport>[] = [
  {
    title: 'Process',
    sort: ({ process }) => process,
    cell: ({ process }) => (
      <a class="code" href={linkTo(`processes/${encodeURIComponent(process)}`)}>
        {shortName(process)}
      </a>
    ),
  },
  {
    title: 'Host',
    sort: ({ host }) => host,
    cell: ({ host, pid }) => (
      <>
        {host} <small>{pid}</small>
      </>
    ),
  },
  { title: 'Role', sort: ({ roles }) => roles.join(), cell: ({ roles }) => roles.join(', ') },
  { title: 'Serves', cell: ({ services, tasks }) => servedBy(services, tasks) },
  { title: 'Release', sort: ({ release }) => release, cell: ({ release }) => release || '–' },
  {
    title: 'State',
    sort: ({ state }) => state,
    cell: (each) => <State rating={ratingOf(each)}>{stateWords(each)}</State>,
  },
  {
    title: 'In flight',
    isNumber: true,
    sort: ({ held }) => held,
    cell: ({ held, capacity }) => (capacity > 0 ? `${numberWords(held)} of ${numberWords(capacity)}` : '–'),
  },
  {
    title: 'Oldest',
    isNumber: true,
    sort: ({ oldestMs }) => oldestMs,
    cell: ({ oldestMs }) => (oldestMs > 0 ? durationWords(oldestMs) : '–'),
  },
  { title: 'Lag', isNumber: true, sort: ({ loopLagMs }) => loopLagMs, cell: ({ loopLagMs }) => `${loopLagMs} ms` },
  { title: 'Memory', isNumber: true, sort: ({ rssBytes }) => rssBytes, cell: ({ rssBytes }) => bytesWords(rssBytes) },
  {
    title: 'Up',
    isNumber: true,
    sort: ({ startedAt }) => -startedAt,
    cell: ({ startedAt }) => ageWords(startedAt, second.value),
  },
]

const MOST_SERVED = 4

/** The services and tasks; of many the first ones, the page of the process has all. */
function servedBy(services: readonly string[], tasks: readonly string[]): string {
  const all = [...services, ...tasks.map((task) => `${task}()`)]
  const more = all.length > MOST_SERVED ? `, ${all.length - MOST_SERVED} more` : ''
  return all.length === 0 ? '–' : all.slice(0, MOST_SERVED).join(', ') + more
}

const withActs = (): Column<ProcessReport>[] =>
  may('processes') ? [...COLUMNS, { title: 'Acts', cell: (process) => <Acts process={process} /> }] : COLUMNS

/** Hosts and releases, each with its processes. */
function groupsOf(all: readonly ProcessReport[], of: (each: ProcessReport) => string): [string, ProcessReport[]][] {
  const groups = new Map<string, ProcessReport[]>()
  for (const each of all) if (of(each)) groups.set(of(each), [...(groups.get(of(each)) ?? []), each])
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1))
}

const Groups = ({ title, groups }: { readonly title: string; readonly groups: [string, ProcessReport[]][] }) => (
  <Panel title={title}>
    <Table
      caption={title}
      columns={[
        { title: 'Name', sort: ([name]) => name, cell: ([name]) => name },
        { title: 'Processes', isNumber: true, sort: ([, all]) => all.length, cell: ([, all]) => all.length },
        { title: 'In flight', isNumber: true, cell: ([, all]) => heldBy(all) },
        {
          title: 'State',
          cell: ([, all]) => {
            const words = drainWords(all)
            return <State rating={words === 'running' ? 'good' : 'degraded'}>{words}</State>
          },
        },
        {
          title: 'Acts',
          cell: ([name, all]) =>
            may('processes') && (
              <span class="buttons">
                {[all.some((each) => takes(each) && each.state === 'running') ? 'drain' : 'resume', 'stop'].map(
                  (order) => (
                    <button
                      key={order}
                      type="button"
                      onClick={() => askOrder(order, order === 'stop' ? all : all.filter(takes), name)}
                    >
                      {WORDS[order]!.verb} all<span class="unseen"> of {name}</span>
                    </button>
                  ),
                )}
              </span>
            ),
        },
      ]}
      rows={groups}
      keyOf={([name]) => name}
      empty="There are none."
    />
  </Panel>
)

const heldBy = (all: readonly ProcessReport[]): number =>
  all.reduce((sum, each) => sum + (takes(each) ? each.held : 0), 0)

export function Processes() {
  const [text, setText] = useState('')
  const all = [...processes.value.values()]
  if (thingName.value) return <OneProcess name={thingName.value} />
  const has = ({ process, host, roles, services, release, state }: ProcessReport): boolean =>
    [process, host, release, state, ...roles, ...services].some((each) => each.includes(text))
  return (
    <>
      <Panel title="Processes" more={<Filter value={text} onChange={setText} label="Filter processes" />}>
        <Table
          caption="Processes, as they tell of themselves"
          columns={withActs()}
          rows={text ? all.filter(has) : all}
          keyOf={({ process }) => process}
          empty="No process takes part in this space."
          isLive={text === ''}
        />
      </Panel>
      <div class="two">
        <Groups title="Hosts" groups={groupsOf(all, ({ host }) => host)} />
        <Groups title="Releases" groups={groupsOf(all, ({ release }) => release)} />
      </div>
    </>
  )
}

function OneProcess({ name }: { readonly name: string }) {
  const process = processes.value.get(name)
  const back = <a href={linkTo('processes')}>All processes</a>
  if (!process)
    return (
      <Panel title={`Process ${shortName(name)}`} more={back}>
        <p class="empty">It is not in the space any more.</p>
      </Panel>
    )
  const { host, pid, roles, services, tasks, release, version, startedAt, running, at } = process
  return (
    <>
      <Panel
        title={`Process ${shortName(name)}`}
        more={
          <>
            {back}
            <Acts process={process} />
          </>
        }
      >
        <Facts
          facts={[
            ['Name', <code key="name">{name}</code>],
            ['Host', `${host}, process ${pid}`],
            ['Role', roles.join(', ')],
            [
              'State',
              <State key="state" rating={ratingOf(process)}>
                {stateWords(process)}
              </State>,
            ],
            ['Services', services.join(', ')],
            ['Tasks', tasks.join(', ')],
            ['Release', release],
            ['Version', version],
            ['Started', timeWords(startedAt)],
            ['In flight', `${process.held} of ${process.capacity}`],
            ['Event loop', `late by ${process.loopLagMs} ms at most`],
            ['Memory', bytesWords(process.rssBytes)],
            ['Told', `${ageWords(at, second.value)} ago`],
          ]}
        />
      </Panel>
      <Panel title="Its oldest requests">
        <Table
          caption="The oldest requests that it works on"
          columns={[
            {
              title: 'Request',
              cell: ({ id }) => (
                <a class="code" href={linkTo('requests', { id })}>
                  {id}
                </a>
              ),
            },
            { title: 'Service', cell: ({ service }) => service },
            { title: 'What', cell: ({ method, path }) => `${method} ${path}` },
            { title: 'Age', isNumber: true, cell: ({ ms }) => durationWords(ms + Math.max(second.value - at, 0)) },
          ]}
          rows={running}
          keyOf={({ id }) => id}
          empty={roles.includes('worker') ? 'It works on nothing.' : 'Workers alone tell what they work on.'}
        />
      </Panel>
    </>
  )
}

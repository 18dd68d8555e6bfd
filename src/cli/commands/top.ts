/** `takespace top`: the state of a space, drawn anew on a terminal; once, or as JSON, elsewhere. */
import type { Command } from 'commander'
import { canDrain, leftWith, leftWords } from '../../control/drains.js'
import type { ProcessReport } from '../../control/kinds.js'
import { chosenOf } from '../../control/processes.js'
import { type SpaceState, stateOf } from '../../control/state.js'
import type { StoreState } from '../../control/store.js'
import type { Space } from '../../space.js'
import { Screen } from '../screen.js'
import { durationText, tableOf } from '../table.js'
import { print, processTable } from './nodes.js'
import { openObserved, openOperated, type SpaceFlags } from './operated.js'
import { auditedOrder } from './order.js'

interface Flags extends SpaceFlags {
  readonly once?: true
  readonly intervalMs: number
  readonly count?: number
}

/** The exit codes of a monitor's check. */
const EXITS = { good: 0, degraded: 1, bad: 2 } as const

export async function top(flags: Flags, command: Command): Promise<void> {
  await using space = await openObserved(command, flags)
  const { json, once, intervalMs, count } = flags
  if (process.stdout.isTTY && !json && !once) {
    await new View(space, intervalMs, () => openOperated(command, flags)).run(count ?? Number.POSITIVE_INFINITY)
    return
  }
  const times = once ? 1 : (count ?? (json ? Number.POSITIVE_INFINITY : 1))
  for (let shown = 0; shown < times; shown++) {
    if (shown > 0) await new Promise((resolve) => setTimeout(resolve, intervalMs))
    const state = await stateOf(space)
    process.exitCode = EXITS[state.rating]
    print(json ? [JSON.stringify(state)] : linesOfState(state))
  }
}

const ORDERS = {
  name: ({ process }: ProcessReport) => process,
  held: ({ held }: ProcessReport) => -held,
  oldest: ({ oldestMs }: ProcessReport) => -oldestMs,
  lag: ({ loopLagMs }: ProcessReport) => -loopLagMs,
  memory: ({ rssBytes }: ProcessReport) => -rssBytes,
} as const
const ORDER_NAMES = Object.keys(ORDERS) as (keyof typeof ORDERS)[]

const HELP = 'q quit  space hold  / filter  < > sort  D drain'

/** The screen of `top`, with its keys. */
class View {
  readonly #space: Space
  readonly #intervalMs: number
  /** Opens the space for an act, which needs more rights than a look. */
  readonly #openToAct: () => Promise<Space>
  readonly #screen: Screen
  #state: SpaceState | undefined
  #isHeld = false
  #filter = ''
  #order = 0
  #said = ''
  /** Why the last look at the space failed; '' if it did not. */
  #failure = ''
  /** The last drain: what was chosen, and the processes that obey. */
  #drain: { readonly of: string; readonly names: ReadonlySet<string> } | undefined

  constructor(space: Space, intervalMs: number, openToAct: () => Promise<Space>) {
    this.#space = space
    this.#intervalMs = intervalMs
    this.#openToAct = openToAct
    this.#screen = new Screen({ onKey: (key) => this.#press(key), onChange: () => this.#draw() })
  }

  async run(times: number): Promise<void> {
    try {
      for (let shown = 0; shown < times && !this.#screen.isLeft; shown++) {
        if (shown > 0) await this.#screen.pause(this.#intervalMs)
        if (this.#isHeld || this.#screen.isLeft) continue
        // While the space is away, the last state stays, with its time.
        await stateOf(this.#space).then(
          (state) => {
            this.#state = state
            this.#failure = ''
          },
          (error: Error) => {
            this.#failure = error.message
          },
        )
        if (this.#state) process.exitCode = EXITS[this.#state.rating]
        this.#draw()
      }
    } finally {
      this.#screen.leave()
    }
  }

  #draw(): void {
    if (this.#screen.isLeft) return
    if (!this.#state) return this.#screen.draw([], this.#failure)
    const has = (texts: readonly string[]): boolean => texts.some((text) => text.includes(this.#filter))
    const order = ORDERS[ORDER_NAMES[this.#order]!]
    const state: SpaceState = {
      ...this.#state,
      services: this.#state.services.filter(({ name }) => has([name])),
      processes: this.#state.processes
        .filter(({ process, host, release, services, roles }) => has([process, host, release, ...services, ...roles]))
        .sort((a, b) => (order(a) < order(b) ? -1 : Number(order(a) > order(b)))),
    }
    const notes = [
      this.#drain ? `drain of ${this.#drain.of}: ${leftWords(leftWith(this.#state.processes, this.#drain.names))}` : '',
      this.#said,
      this.#failure,
      this.#isHeld ? 'HELD' : '',
      HELP,
      `sorted by ${ORDER_NAMES[this.#order]}`,
      this.#filter ? `with ${this.#filter}` : '',
    ]
    this.#screen.draw(linesOfState(state), notes.filter(Boolean).join('  |  '))
  }

  #press(key: string): void {
    if (key === ' ') this.#isHeld = !this.#isHeld
    else if (key === '<') this.#order = (this.#order + ORDER_NAMES.length - 1) % ORDER_NAMES.length
    else if (key === '>') this.#order = (this.#order + 1) % ORDER_NAMES.length
    else if (key === '/')
      this.#screen.ask('filter:', (text) => {
        this.#filter = text
      })
    else if (key === 'D')
      this.#screen.ask('drain (the beginning of a name, host=…, or release=…):', (text) => this.#choose(text))
  }

  /** Asks with the processes that are meant now: no others are drained. */
  #choose(text: string): void {
    const [, by, value] = /^(host|release)=(.+)$/.exec(text) ?? []
    if (!text || !this.#state) return
    const found = chosenOf(this.#state.processes.filter(canDrain), by ? { [by]: value } : { process: text })
    this.#drain = undefined
    this.#said = ''
    if (found.length === 0) {
      this.#said = `no process that takes requests is meant by ${text}`
      return
    }
    const held = found.reduce((sum, each) => sum + each.held, 0)
    this.#screen.ask(`drain ${namesOf(found)} with ${held} requests in flight? y/n:`, (answer) => {
      if (/^y(es)?$/i.test(answer)) void this.#give(text, found)
    })
  }

  async #give(of: string, found: readonly ProcessReport[]): Promise<void> {
    try {
      await using space = await this.#openToAct()
      const obeyed = await auditedOrder(space, 'drain', found)
      const refusals = obeyed.flatMap(({ refusal }) => refusal || [])
      const names = obeyed.flatMap(({ process, refusal }) => (refusal ? [] : process))
      this.#said = refusals.length > 0 ? `${refusals.length} of ${found.length} do not obey: ${refusals[0]}` : ''
      this.#drain = { of, names: new Set(names) }
    } catch (error) {
      this.#said = (error as Error).message
    }
    this.#draw()
  }
}

const MEGABYTE = 2 ** 20

/** Returns the memory of the server and its policy. */
function memoryText({ usedBytes, limitBytes, policy }: StoreState): string {
  const [used, limit] = [usedBytes, limitBytes].map((bytes) => `${Math.round(bytes / MEGABYTE)} MB`)
  return `memory ${used}${limitBytes > 0 ? ` of ${limit}` : ''}, ${policy}`
}

const MOST_NAMED = 3

/** Returns the processes by pid and host; of many their number and the first ones. */
function namesOf(processes: readonly ProcessReport[]): string {
  const named = processes.slice(0, MOST_NAMED).map(({ pid, host }) => `${pid} of ${host}`)
  const more = processes.length > MOST_NAMED ? ', …' : ''
  return `${processes.length} ${processes.length === 1 ? 'process' : 'processes'} (${named.join(', ')}${more})`
}

const SERVICE_HEAD = ['SERVICE', 'WAITING', 'OLDEST', 'RATE', 'ERRORS', 'WAIT', 'RUN', 'WORKERS', 'HELD', 'PAUSED']

/** Returns the lines of a state: the head, what needs somebody, services, processes. */
export function linesOfState(state: SpaceState): string[] {
  const { services, processes, needs, deadLetters, store } = state
  const waiting = services.reduce((sum, each) => sum + each.waiting, 0)
  const head =
    `${state.space}: ${state.rating}  ${new Date(state.at).toISOString()}  durability ${state.durability}  ` +
    `waiting ${waiting}  dead letters ${deadLetters}  processes ${processes.length}${store ? `  ${memoryText(store)}` : ''}`
  const rows = services.map((each) => [
    each.name,
    String(each.waiting),
    each.waiting > 0 ? durationText(each.oldestMs) : '',
    `${each.perSecond.toFixed(each.perSecond < 10 ? 1 : 0)}/s`,
    each.perSecond > 0 ? `${(each.errorShare * 100).toFixed(1)} %` : '',
    each.waitP95Ms > 0 ? durationText(each.waitP95Ms) : '',
    each.runP95Ms > 0 ? durationText(each.runP95Ms) : '',
    String(each.workers),
    `${each.held}/${each.capacity}`,
    each.paused === 'no' ? '' : each.paused,
  ])
  const lines = [head, ...needs.map(({ rating, what, advice }) => `  ${rating}: ${what}. ${advice}`), '']
  return [...lines, ...tableOf(SERVICE_HEAD, rows), '', ...processTable(processes)]
}

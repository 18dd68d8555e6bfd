/** The account of a soak's requests: each has one answer that its kind of request may get, and nothing ran twice that may not. */
import type { System } from '../faults/system.js'
import type { Answer } from '../support/load.js'

export interface Account {
  readonly requests: number
  /** How many, by method and status. */
  readonly statuses: Readonly<Record<string, number>>
  readonly executions: number
  readonly longestMs: number
  /** Of which every worker that was given them died; each is a dead letter. */
  readonly exhausted: number
  /** Of which nobody knows whether they were written, or that were surely not. */
  readonly unwritten: number
  /** Kills that struck a worker at work. */
  readonly busyKills: number
  /** One line each; nothing of this may be. */
  readonly wrong: readonly string[]
}

/** 503: nothing was done, unless it says OUTCOME_UNKNOWN; 502: nobody knows, and it is not done again. */
const MAY_BE: Readonly<Record<string, readonly number[]>> = { GET: [200, 503], POST: [200, 502, 503] }

export function accountOf(
  system: System,
  answers: Readonly<Record<'GET' | 'POST', readonly Answer[]>>,
  killed: readonly number[],
): Account {
  const asked = new Set([...answers.GET, ...answers.POST].map(({ url }) => url))
  const runs = system.runs().filter(({ url }) => asked.has(url))
  const dead = new Set(killed)
  const times = new Map<string, number>()
  for (const { url } of runs) times.set(url, (times.get(url) ?? 0) + 1)
  const statuses: Record<string, number> = {}
  const wrong: string[] = []
  let longestMs = 0
  let exhausted = 0
  let unwritten = 0
  // The end of a run that the last of its workers did not outlive reached nobody.
  const ended = new Set(runs.filter((run) => run.ended !== undefined && !dead.has(run.pid)).map(({ url }) => url))
  const runsOf = (url: string): string =>
    runs
      .filter((run) => run.url === url)
      .map(({ pid, begun, ended: at }) => `by ${pid}${dead.has(pid) ? ', killed,' : ''} ${begun} to ${at ?? '–'}`)
      .join(', ')
  for (const [method, list] of Object.entries(answers)) {
    for (const { url, status, text, ms, at } of list) {
      const name = `${method} ${status}`
      statuses[name] = (statuses[name] ?? 0) + 1
      longestMs = Math.max(longestMs, Math.round(ms))
      if (/OUTCOME_UNKNOWN|SPACE_UNREACHABLE/.test(text)) unwritten++
      const ran = times.get(url) ?? 0
      const what = `${method} ${url}, answered ${status} at ${at}, run ${ran} times`
      if (/DELIVERIES_EXHAUSTED/.test(text)) {
        exhausted++
        if (ended.has(url)) wrong.push(`${what}: ${text}: ${runsOf(url)}`)
      } else if (!MAY_BE[method]!.includes(status)) wrong.push(`${what}: ${text.slice(0, 300)}`)
      else if (status === 200 && ran === 0) wrong.push(what)
      else if (method === 'POST' && (ran > 1 || (status === 503 && ran > 0 && !/OUTCOME_UNKNOWN/.test(text)))) {
        wrong.push(`${what}: ${text.slice(0, 300)}: ${runsOf(url)}`)
      }
    }
  }
  const busy = new Set(runs.filter(({ pid, ended }) => dead.has(pid) && ended === undefined).map(({ pid }) => pid))
  return {
    requests: answers.GET.length + answers.POST.length,
    statuses,
    executions: runs.length,
    longestMs,
    exhausted,
    unwritten,
    busyKills: busy.size,
    wrong,
  }
}

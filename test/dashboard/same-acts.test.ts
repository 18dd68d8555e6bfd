/** One table of acts: each changes a space in the same way by the dashboard and by its command, and is told alike in the audit. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { auditTrail } from '../../src/control/audit.js'
import { order } from '../../src/control/orders.js'
import { pausesIn, pauseWork } from '../../src/control/pauses.js'
import { processesIn } from '../../src/control/processes.js'
import { requestsIn } from '../../src/control/requests.js'
import { stateOf } from '../../src/control/state.js'
import { createDashboard, type Dashboard } from '../../src/dashboard/index.js'
import { ALL_RIGHTS } from '../../src/dashboard/rights.js'
import { ROUTES } from '../../src/dashboard/routes.js'
import { createScheduler, defineEntry } from '../../src/index.js'
import { silent } from '../../src/log.js'
import { openSpace } from '../../src/open.js'
import { sendRequest } from '../../src/request.js'
import type { Space } from '../../src/space.js'
import { deadLetters } from '../../src/tasks/requeue.js'
import { schedules } from '../../src/tasks/schedule.js'
import { createWorker } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { requestOf } from '../workers/turns.js'
import { ask } from './asked.js'

const Thing = defineEntry<{ name: string }>('Thing')
const Kept = defineEntry<{ name: string }>('Kept')

/** A space with its dashboard, and what the acts need in it. */
interface Scene {
  readonly name: string
  readonly space: Space
  readonly dashboard: Dashboard
  /** Starts a worker of its own process in the space; returns its name. */
  worker(service: string): Promise<string>
  /** Orders that workers have told of in their logs, by the name of the worker. */
  readonly told: Map<string, string[]>
  /** Runs of the task `nightly`, by its input. */
  readonly runs: Map<unknown, number>
}

interface Act {
  readonly act: string
  readonly route: string
  /** Makes that on which is acted. Returns its name or id. */
  make(scene: Scene): Promise<string>
  body(name: string, scene: Scene): object | Promise<object>
  command(name: string): readonly string[]
  /** What can be seen of it in the space. */
  see(scene: Scene, name: string): Promise<unknown>
  readonly before: unknown
  readonly after: unknown
  /** The command is one of programs, and is not in the audit. */
  readonly isUnaudited?: true
}

const paused = async ({ space }: Scene, name: string): Promise<unknown> =>
  (await pausesIn(space)).filter((each) => each.name === name).map(({ what, refuses }) => ({ what, refuses }))

const stateOfWorker = async ({ space }: Scene, name: string): Promise<unknown> =>
  (await processesIn(space)).find(({ process }) => process === name)?.state

const lettersOf =
  (task: string) =>
  async ({ space }: Scene) => {
    let count = 0
    for await (const [letter] of deadLetters(space)) if (letter.task === task) count++
    return count
  }

const letter = (task: string) => async (scene: Scene) => {
  await createClient({ space: scene.space }).enqueue(task, null, { service: 'tasks' })
  await until(async () => (await lettersOf(task)(scene)) === 1, 'it has failed')
  for await (const [{ id, task: its }] of deadLetters(scene.space)) if (its === task) return id
  throw new Error('it is gone')
}

const named =
  (verb: string, confirm: object = {}) =>
  (name: string) => ({
    order: verb,
    processes: [name],
    seen: { [name]: '' },
    ...confirm,
  })

/** An order whose effect is that of its process alone: the process tells of it. */
const toldAct = (verb: 'recall' | 'suspend', after: unknown): Act => ({
  act: `processes.${verb}`,
  route: 'processes/order',
  make: (scene) => scene.worker(verb),
  body: named(verb),
  command: (name) => ['order', verb, name],
  see: async ({ told }, name) => told.get(name) ?? [],
  before: [],
  after,
})

const kept = async (dashboard: Dashboard): Promise<{ readonly id: string; readonly kinds: readonly string[] }[]> => {
  const { transactions } = (await ask(dashboard, 'transactions')).json
  return transactions.filter(({ kinds }: { readonly kinds: readonly string[] }) => kinds.includes('Kept'))
}

const scheduled = (schedule: string) => async (scene: Scene) => {
  await createClient({ space: scene.space }).schedule(schedule, { cron: '0 3 1 1 *' }, 'nightly', schedule, {
    service: 'tasks',
  })
  return schedule
}

const asSeen = async (name: string, { space }: Scene) => ({
  name,
  confirm: name,
  seen: (await schedules(space)).find((each) => each.name === name)!.next,
})

const ACTS: readonly Act[] = [
  {
    act: 'pause',
    route: 'pause',
    make: async () => 'some',
    body: (name) => ({ what: 'service', name, refuses: true }),
    command: (name) => ['pause', name, '--refuse'],
    see: paused,
    before: [],
    after: [{ what: 'service', refuses: true }],
  },
  {
    act: 'resume',
    route: 'resume',
    make: async ({ space }) => {
      await pauseWork(space, 'task', 'other', { by: 'the test' })
      return 'other'
    },
    body: (name) => ({ what: 'task', name }),
    command: (name) => ['resume', name, '--task'],
    see: paused,
    before: [{ what: 'task', refuses: false }],
    after: [],
  },
  {
    act: 'processes.drain',
    route: 'processes/order',
    make: (scene) => scene.worker('drain'),
    body: named('drain'),
    command: (name) => ['drain', name],
    see: stateOfWorker,
    before: 'running',
    after: 'drained',
  },
  {
    act: 'processes.resume',
    route: 'processes/order',
    make: async (scene) => {
      const name = await scene.worker('resume')
      await order(scene.space, name, 'drain', { by: 'the test' })
      await until(async () => (await stateOfWorker(scene, name)) === 'drained', 'it is drained')
      return name
    },
    body: named('resume'),
    command: (name) => ['drain', name, '--undo'],
    see: stateOfWorker,
    before: 'drained',
    after: 'running',
  },
  {
    act: 'processes.stop',
    route: 'processes/order',
    make: (scene) => scene.worker('stop'),
    body: named('stop', { confirm: '1' }),
    command: (name) => ['order', 'stop', name],
    see: stateOfWorker,
    before: 'running',
    after: undefined,
  },
  toldAct('recall', ['recall']),
  // The space does it: its process is told nothing, and asks again.
  toldAct('suspend', []),
  {
    act: 'requests.withdraw',
    route: 'requests/withdraw',
    async make({ space }) {
      await pauseWork(space, 'service', 'held', { by: 'the test' })
      const sent = sendRequest(space, requestOf({}), {
        service: 'held',
        timeoutMs: 60_000,
        priority: 0,
        repeatable: true,
      })
      sent.response.catch(() => {})
      return sent.id
    },
    async body(id, { dashboard }) {
      const services = async () => (await ask(dashboard, 'state')).json.services
      await until(async () => (await services()).some((each: { name: string }) => each.name === 'held'), 'it is known')
      return { id, confirm: id }
    },
    command: (id) => ['requests', '--withdraw', '--id', id],
    see: async ({ space }) =>
      (await requestsIn(space, await stateOf(space), 'held', 10)).map(({ service, state }) => ({ service, state })),
    before: [{ service: 'held', state: 'waiting' }],
    after: [],
  },
  {
    act: 'tasks.cancel',
    route: 'tickets/cancel',
    make: async ({ space }) => (await createClient({ space }).enqueue('some', null, { service: 'nobody' })).id,
    body: (id) => ({ id, confirm: id }),
    command: (id) => ['ticket', id, '--cancel'],
    see: async ({ space }, id) => (await createClient({ space }).ticket(id).status()).state,
    before: 'waiting',
    after: 'cancelled',
  },
  {
    act: 'schedules.run',
    route: 'schedules/run',
    make: scheduled('run'),
    body: asSeen,
    command: (name) => ['schedules', '--run', name],
    see: async ({ runs }) => runs.get('run') ?? 0,
    before: 0,
    after: 1,
  },
  {
    act: 'schedules.remove',
    route: 'schedules/remove',
    make: scheduled('remove'),
    body: asSeen,
    command: (name) => ['schedules', '--remove', name],
    see: async ({ space }, name) => (await schedules(space)).some((each) => each.name === name),
    before: true,
    after: false,
  },
  {
    act: 'dead.requeue',
    route: 'dead/requeue',
    make: letter('once'),
    body: (id) => ({ ids: [id] }),
    command: (id) => ['dead', 'requeue', id],
    see: lettersOf('once'),
    before: 1,
    after: 0,
  },
  {
    act: 'dead.drop',
    route: 'dead/drop',
    make: letter('never'),
    body: (id) => ({ ids: [id], confirm: '1' }),
    command: (id) => ['dead', 'drop', id],
    see: lettersOf('never'),
    before: 1,
    after: 0,
  },
  {
    act: 'transactions.abort',
    route: 'transactions/abort',
    async make({ space, dashboard }) {
      const tx = await space.begin({ leaseMs: 600_000 })
      await space.write(Kept({ name: 'kept' }), { tx })
      return (await kept(dashboard))[0]!.id
    },
    body: (id) => ({ id, confirm: id }),
    command: (id) => ['transactions', '--abort', id],
    see: async ({ dashboard }) => (await kept(dashboard)).length,
    before: 1,
    after: 0,
  },
  {
    act: 'entries.take',
    route: 'entries/take',
    async make({ space, dashboard }) {
      await space.write(Thing({ name: 'thing' }))
      return (await ask(dashboard, 'entries?kind=Thing')).json.entries[0].id
    },
    body: (id) => ({ kind: 'Thing', id, confirm: id }),
    command: () => ['take', 'Thing', 'name=thing'],
    see: ({ space }) => space.readIfExists(Thing),
    before: { name: 'thing' },
    after: null,
    isUnaudited: true,
  },
]

/** Routes of the dashboard that change nothing in the space but its audit, or its own work. */
const NO_COMMAND = ['login', 'logout', 'tickets/result', 'dead/export', 'dead/stop', 'dead/body', 'entries/body']

let redis: Redis
const closing: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  redis = await startRedis({ appendonly: true })
})
afterAll(async () => {
  for (const close of closing.reverse()) await close()
  await redis.stop()
})

async function openScene(name: string): Promise<Scene> {
  const open = async (): Promise<Space> => {
    const space = await openSpace(redis.url, { name })
    closing.push(() => space.close())
    return space
  }
  const [space, other] = [await open(), await open()]
  const [told, runs] = [new Map<string, string[]>(), new Map<unknown, number>()]
  let isFirst = true
  const fail = (): never => {
    throw new Error('as it is to')
  }
  const tasks = {
    nightly: (input: unknown) => void runs.set(input, (runs.get(input) ?? 0) + 1),
    never: fail,
    once: () => {
      const fails = isFirst
      isFirst = false
      if (fails) fail()
    },
  }
  await createWorker({ space: other, tasks, service: 'tasks' }).start()
  await createScheduler({ space: other }).start()
  return {
    name,
    space,
    dashboard: createDashboard({ space, rights: ALL_RIGHTS }),
    told,
    runs,
    async worker(service) {
      const own = await open()
      const info = (fields: unknown): void => {
        const { order } = Object(fields) as { order?: string }
        if (order !== undefined) told.set(own.presence, [...(told.get(own.presence) ?? []), order])
      }
      const logger = { ...silent, info }
      await createWorker({ space: own, app: (_req, res) => void res.end(), service, logger }).start()
      await until(async () => (await processesIn(space)).some(({ process }) => process === own.presence), 'it is there')
      return own.presence
    },
  }
}

test('every act of the dashboard is in the table, or changes nothing that a command could', () => {
  const routes = ROUTES.filter(({ method }) => method === 'POST').map(({ path }) => path.replace('/api/v1/', ''))
  expect([...new Set([...ACTS.map(({ route }) => route), ...NO_COMMAND])].sort()).toEqual(routes.sort())
})

test('each act has the same effect, and the same words in the audit, by the dashboard and by its command', async () => {
  const [byPage, byCommand] = [await openScene('by-page'), await openScene('by-command')]
  const made = await Promise.all(
    ACTS.map(async (act) => {
      const [page, command] = [await act.make(byPage), await act.make(byCommand)]
      expect([act.act, await act.see(byPage, page)]).toEqual([act.act, act.before])
      expect([act.act, await act.see(byCommand, command)]).toEqual([act.act, act.before])
      return { act, page, command }
    }),
  )
  const workers = async () => (await ask(byPage.dashboard, 'processes')).json.processes
  await until(async () => (await workers()).length === (await processesIn(byPage.space)).length, 'all are known')
  for (const { act, page } of made) {
    const body = await act.body(page, byPage)
    expect([act.act, (await ask(byPage.dashboard, act.route, { body })).status]).toEqual([act.act, 200])
  }
  await Promise.all(
    made.map(async ({ act, command }) => {
      const ran = startProcess(['takespace', ...act.command(command), '--url', redis.url, '--name', byCommand.name])
      expect([act.act, await ran.exited, ran.output()]).toEqual([act.act, { code: 0, signal: null }, expect.anything()])
    }),
  )
  for (const { act, page, command } of made) {
    const isSame = async (scene: Scene, name: string): Promise<boolean> =>
      JSON.stringify(await act.see(scene, name)) === JSON.stringify(act.after)
    await until(() => isSame(byPage, page), `${act.act} has had its effect by the dashboard`)
    await until(() => isSame(byCommand, command), `${act.act} has had its effect by its command`)
  }
  const told = async (scene: Scene, name: string, of: string): Promise<unknown> =>
    (await auditTrail(scene.space))
      .filter(({ act, target }) => act === of && target.includes(name))
      .map(({ act, target, count, outcome }) => ({ act, target: target.replaceAll(name, 'IT'), count, outcome }))
  for (const { act, page, command } of made) {
    const ofPage = await told(byPage, page, act.act)
    expect(ofPage).toEqual([{ act: act.act, target: expect.stringContaining('IT'), count: 1, outcome: 'done' }])
    expect([act.act, await told(byCommand, command, act.act)]).toEqual([act.act, act.isUnaudited ? [] : ofPage])
  }
})

failOnLeaks()

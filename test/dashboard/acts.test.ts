/** What users of the dashboard do: the effect in the space, the state that an act must have seen, and the audit trail. */
import { expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { audited, auditTrail } from '../../src/control/audit.js'
import { order } from '../../src/control/orders.js'
import { pausesIn } from '../../src/control/pauses.js'
import { processesIn } from '../../src/control/processes.js'
import { createDashboard, type DashboardOptions } from '../../src/dashboard/index.js'
import { ALL_RIGHTS, type Right } from '../../src/dashboard/rights.js'
import { createScheduler, defineEntry } from '../../src/index.js'
import type { Space } from '../../src/space.js'
import { schedules } from '../../src/tasks/schedule.js'
import { createWorker } from '../../workers/index.js'
import { busyWorker } from '../control/busy-worker.js'
import { everyEngine } from '../support/every-engine.js'
import { until } from '../support/until.js'
import { ask } from './asked.js'

interface Thing {
  readonly id: string
  readonly [name: string]: unknown
}
const Thing = defineEntry<Record<string, unknown>>('Thing')

const actsOf = async (space: Space): Promise<string[]> =>
  (await auditTrail(space)).map(({ act, target, count, outcome }) => `${act} ${target} ${count} ${outcome}`)

everyEngine({ what: 'the acts of the dashboard', partitions: 'none' }, (opened) => {
  const made = (options: Partial<DashboardOptions> = {}) => {
    const dashboard = createDashboard({ space: opened().space, rights: ALL_RIGHTS, ...options })
    const get = (path: string) => ask(dashboard, path)
    const act = async (path: string, body: object) => {
      const { status, json } = await ask(dashboard, path, { body })
      return { status, json }
    }
    return { get, act }
  }

  test('a service is paused and resumed, and both are in the audit', async () => {
    const { space } = opened()
    const { act, get } = made()
    expect((await act('pause', { what: 'service', name: 'web', refuses: true })).status).toBe(200)
    expect(await pausesIn(space)).toMatchObject([{ what: 'service', name: 'web', refuses: true, by: 'this machine' }])
    expect((await act('resume', { what: 'service', name: 'web' })).status).toBe(200)
    expect(await pausesIn(space)).toEqual([])
    // Somebody was faster.
    expect((await act('resume', { what: 'service', name: 'web' })).status).toBe(409)
    const { json } = await get('audit')
    expect(json.acts.map(({ act, from }: { act: string; from: string }) => [act, from])).toEqual([
      ['resume', '127.0.0.1'],
      ['resume', '127.0.0.1'],
      ['pause', '127.0.0.1'],
    ])
    expect(json.acts[0].outcome).toMatch(/not there any more/)
  })

  test('processes are drained as they were seen, and no others', async () => {
    const { space, other } = opened()
    await using worker = createWorker({ space: other, app: (_req, res) => void res.end() })
    await worker.start()
    const { act, get } = made()
    await until(async () => (await get('processes')).json.processes.length === 1, 'the worker is shown')
    const processes = [other.presence]
    const seen = { [other.presence]: '' }
    expect((await act('processes/order', { order: 'drain', processes, seen: { [other.presence]: 'r2' } })).status).toBe(
      409,
    )
    expect((await act('processes/order', { order: 'drain', processes: ['gone'], seen })).status).toBe(409)
    expect((await processesIn(space))[0]?.state).toBe('running')
    const drained = await act('processes/order', { order: 'drain', processes, seen })
    expect(drained).toEqual({ status: 200, json: { obeyed: [{ process: other.presence, refusal: '' }] } })
    await until(async () => (await processesIn(space))[0]?.state === 'drained', 'nothing is left')
    // The end of a process is confirmed by the number of processes.
    expect((await act('processes/order', { order: 'stop', processes, seen })).json).toMatchObject({
      rule: 'confirm',
      confirm: '1',
    })
    expect((await act('processes/order', { order: 'stop', processes, seen, confirm: '1' })).status).toBe(200)
    await until(async () => (await processesIn(space)).length === 0, 'it has stopped')
  })

  test('a request that waits is withdrawn, a running one is told', async () => {
    const { space, other } = opened()
    await using busy = await busyWorker(space, other, '/running?secret=1')
    const { held, running, waiting } = busy
    for (const { response } of [running, waiting]) response.catch(() => {})
    // A process tells what runs with each change.
    await order(space, other.presence, 'drain', { by: 'the test' })
    const { act, get } = made()
    await until(async () => (await get('requests')).json.requests.length === 2, 'both are shown')
    expect(JSON.stringify((await get('requests')).json)).not.toContain('secret')
    const withdraw = (id: string) => act('requests/withdraw', { id, confirm: id })
    expect((await act('requests/withdraw', { id: waiting.id })).json.rule).toBe('confirm')
    expect((await withdraw(waiting.id)).status).toBe(200)
    expect((await withdraw(waiting.id)).status).toBe(409)
    const closed = new Promise((resolve) => held[0]!.once('close', resolve))
    expect((await withdraw(running.id)).status).toBe(200)
    await closed
    await space.write(Thing({ id: 't' }))
    const [entry] = (await get('entries?kind=Thing')).json.entries
    // The id of an entry is not that of a request.
    expect((await withdraw(entry.id)).status).toBe(409)
  })

  test('dead letters are grouped, requeued and dropped, as many as were seen', async () => {
    const { space, other } = opened()
    let isFixed = false
    const fail = (what: string): never => {
      throw new Error(`${what}: secret\nits stack`)
    }
    await using worker = createWorker({
      space: other,
      tasks: { a: (n: unknown) => (isFixed ? n : fail('no file')), b: () => fail('no host') },
    })
    await worker.start()
    const client = createClient({ space })
    for (let n = 0; n < 3; n++) await client.enqueue('a', n)
    for (let n = 0; n < 2; n++) await client.enqueue('b', n)
    const { act, get } = made()
    await until(async () => (await get('dead')).json.letters.length === 5, 'all have failed')
    const { json } = await get('dead/groups')
    expect(json).toMatchObject({
      isWhole: true,
      groups: [
        { task: 'a', count: 3 },
        { task: 'b', count: 2 },
      ],
    })
    const match = { task: 'b' }
    expect((await act('dead/drop', { match, seen: 3, confirm: '3' })).json).toMatchObject({
      rule: 'changed',
      now: { count: 2 },
    })
    expect((await act('dead/drop', { match, seen: 2, confirm: '3' })).json.rule).toBe('confirm')
    expect((await act('dead/drop', { match, seen: 2, confirm: '2' })).json).toMatchObject({
      done: 2,
      failed: 0,
      state: 'done',
    })
    isFixed = true
    const [letter] = (await get('dead?task=a')).json.letters
    expect(letter.error).toBe('Error: no file: secret')
    const shown = await act('dead/body', { id: letter.id })
    expect(shown.json.fields).toEqual([{ name: 'input', type: 'number', text: expect.any(String), isCut: false }])
    expect((await act('dead/requeue', { ids: [letter.id] })).json).toMatchObject({ done: 1 })
    expect((await act('dead/requeue', { match: { task: 'a' }, seen: 2 })).json).toMatchObject({ done: 2 })
    await until(async () => (await get('dead')).json.letters.length === 0, 'none is left')
    expect((await act('dead/requeue', { ids: [letter.id] })).json).toMatchObject({ done: 0, failed: 1 })
    expect(await actsOf(space)).toContain('dead.drop those of {"task":"b"} 2 done')
    expect(await actsOf(space)).toContain(`bodies.dead ${letter.id} 1 done`)
  })

  test('dead letters are exported as lines, with bodies to whom these are', async () => {
    const { space, other } = opened()
    const fail = (): never => {
      throw new Error('no file')
    }
    await using worker = createWorker({ space: other, tasks: { a: fail, b: fail } })
    await worker.start()
    const client = createClient({ space })
    for (let n = 0; n < 3; n++) await client.enqueue('a', { n: 2n ** 60n, at: new Date(0) })
    await client.enqueue('b', 1)
    const { get } = made()
    await until(async () => (await get('dead')).json.letters.length === 4, 'all have failed')
    const asked = (rights: Right[], body: object) => ask(createDashboard({ space, rights }), 'dead/export', { body })
    const { status, headers, lines } = await asked(['dead'], { match: { task: 'a' } })
    expect([status, headers.get('content-type'), lines.length]).toEqual([200, 'application/x-ndjson', 3])
    expect(lines[0]).toMatchObject({ task: 'a', reason: 'failed', error: 'Error: no file' })
    expect(Object.keys(lines[0]!)).not.toContain('input')
    expect((await asked(['dead'], { bodies: true })).json.right).toBe('bodies')
    expect((await asked(['bodies'], {})).json.right).toBe('dead')
    const whole = await asked(['dead', 'bodies'], { bodies: true })
    expect(whole.lines).toHaveLength(4)
    expect(whole.lines.find(({ task }) => task === 'b')?.input).toBe(1)
    // As entries are stored: no digit is lost.
    expect(JSON.stringify(whole.lines[0])).toContain('1152921504606846976')
    expect(await actsOf(space)).toContain('dead.export those of {"task":"a"} 3 done')
    expect(await actsOf(space)).toContain('dead.export those of {}, with bodies 4 done')
  })

  test('tickets are shown and cancelled, and results only to whom bodies are', async () => {
    const { space, other } = opened()
    await using worker = createWorker({
      space: other,
      tasks: {
        done: () => ({ big: 2n ** 60n }),
        long: (_: unknown, { signal }: { signal: AbortSignal }) =>
          new Promise((resolve) => signal.addEventListener('abort', resolve)),
      },
    })
    await worker.start()
    const client = createClient({ space })
    const [done, long] = [await client.enqueue('done', 0), await client.enqueue('long', 0)]
    await done.result()
    const { act, get } = made()
    await until(async () => (await get(`tickets/${long.id}`)).json.state === 'running', 'it runs')
    expect((await get(`tickets/${done.id}`)).json).toMatchObject({ id: done.id, state: 'completed', attempt: 1 })
    const { json } = await act('tickets/result', { id: done.id })
    expect(json.fields[0].text).toContain('1152921504606846976n')
    expect((await act('tickets/cancel', { id: long.id, confirm: long.id })).status).toBe(200)
    expect((await act('tickets/cancel', { id: long.id, confirm: long.id })).status).toBe(409)
    expect((await get('tickets/none')).status).toBe(404)
    expect((await ask(createDashboard({ space }), 'tickets/result', { body: { id: done.id } })).json.right).toBe(
      'bodies',
    )
  })

  test('tickets with an outcome are listed, the newest first', async () => {
    const { space, other } = opened()
    const fail = (): never => {
      throw new Error('no file')
    }
    await using worker = createWorker({
      space: other,
      tasks: { good: () => 'x'.repeat(10), large: () => 'x'.repeat(5_000), bad: fail },
    })
    await worker.start()
    const client = createClient({ space })
    const { get } = made()
    expect((await get('tickets')).json).toEqual({ tickets: [], isWhole: true })
    const ids: string[] = []
    for (const task of ['good', 'bad', 'large']) {
      const ticket = await client.enqueue(task, null)
      await ticket.result().catch(() => {})
      ids.unshift(ticket.id)
    }
    const gone = await client.enqueue('nobody has it', null)
    await gone.cancel()
    await client.enqueue('nobody has it', null)
    const { json } = await get('tickets')
    const told = json.tickets.map(({ id, what, state, error }: Record<string, string>) => [id, what, state, error])
    const [large, bad, good] = ids
    expect(told.sort()).toEqual(
      [
        [gone.id, 'task', 'cancelled', ''],
        [large, 'task', 'completed', ''],
        [bad, 'task', 'failed', 'Error: no file'],
        [good, 'task', 'completed', ''],
      ].sort(),
    )
    const times = json.tickets.map(({ openedAt }: Record<string, number>) => openedAt)
    expect(times).toEqual([...times].sort((a, b) => b - a))
  })

  test('schedules are run and removed as they were seen', async () => {
    const { space, other } = opened()
    let runs = 0
    await using worker = createWorker({ space: other, tasks: { nightly: () => void runs++ } })
    await worker.start()
    await using scheduler = createScheduler({ space: other })
    await scheduler.start()
    await createClient({ space }).schedule('nightly', { cron: '0 3 * * *' }, 'nightly', null)
    const { act, get } = made()
    const [{ name, next }] = (await get('schedules')).json.schedules
    expect((await act('schedules/run', { name, seen: next - 1 })).status).toBe(409)
    expect((await act('schedules/run', { name, seen: next })).json).toEqual({ done: true })
    await until(() => runs === 1, 'it has run')
    expect((await act('schedules/remove', { name, seen: next, confirm: name })).json).toEqual({ done: true })
    expect(await schedules(space)).toEqual([])
  })

  test('entries are shown without what they may hide, and taken out one at a time', async () => {
    const { space } = opened()
    const html = '<img src=x onerror=alert(1)>'
    const fields = JSON.parse(`{ "id": ${JSON.stringify(html)}, "__proto__": { "polluted": true } }`)
    const values = {
      n: 2n ** 70n,
      at: new Date(0),
      raw: new Uint8Array([1, 255]),
      nested: { deep: [1] },
      text: 'x'.repeat(300),
    }
    await space.write(Thing({ ...values, ...Object.fromEntries(Object.entries(fields)) }))
    const { act, get } = made({ redact: ({ fields }) => ({ ...fields, nested: '***' }) })
    const { json } = await get('entries?kind=Thing')
    const shown = Object.fromEntries(json.entries[0].fields.map((each: Thing) => [each.name, each.text]))
    expect(shown).toMatchObject({
      id: html,
      n: '1180591620717411303424',
      at: '1970-01-01T00:00:00.000Z',
      raw: '2 bytes',
      nested: '***',
    })
    expect(shown.text).toHaveLength(200)
    const { id } = json.entries[0]
    expect(
      (await get(`entries?kind=Thing&fields=${encodeURIComponent('{"n":{"$bigint":"1180591620717411303424"}}')}`)).json
        .entries,
    ).toHaveLength(1)
    expect((await get('entries?kind=Thing&fields={"n":1}')).json.entries).toEqual([])
    expect((await get('entries?kind=Thing&fields=[')).status).toBe(400)
    const whole = await act('entries/body', { kind: 'Thing', id })
    const texts = Object.fromEntries(whole.json.fields.map((each: Thing) => [each.name, each.text]))
    expect([texts.raw, texts.text.length, texts.nested]).toEqual(['01ff', 300, '***'])
    expect((await act('entries/take', { kind: 'Thing', id, confirm: 'no' })).json.rule).toBe('confirm')
    expect((await act('entries/take', { kind: 'Thing', id, confirm: id })).status).toBe(200)
    expect(await space.readIfExists(Thing)).toBeNull()
    expect((await act('entries/take', { kind: 'Thing', id, confirm: id })).status).toBe(409)
    expect((await act('entries/take', { kind: 'takespace.Pause', id, confirm: id })).status).toBe(400)
    // Of takespace's own kinds nothing but that they are there.
    expect((await get('entries?kind=takespace.Audit')).json.entries[0]).toMatchObject({ isOurs: true, fields: [] })
  })

  test('an act of a space that cannot record it is not done', async () => {
    const { space } = opened()
    const failing = { newId: () => 'x', write: () => Promise.reject(new Error('full')) } as unknown as Space
    let isDone = false
    const what = { by: 'me', from: 'here', act: 'a', target: 't', count: 1 }
    const act = async (): Promise<void> => {
      isDone = true
    }
    await expect(audited(failing, what, act)).rejects.toThrow('full')
    expect(isDone).toBe(false)
    await expect(audited(space, what, async () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await actsOf(space)).toEqual(['a t 1 no'])
  })

  test('the trail is bounded: the oldest are dropped', async () => {
    const { space } = opened()
    const what = { by: 'me', from: 'here', act: 'a', count: 1 }
    for (let n = 0; n < 30; n++) await audited(space, { ...what, target: String(n) }, async () => {}, 20)
    const trail = await auditTrail(space)
    expect(trail.map(({ target }) => Number(target))).toEqual(Array.from({ length: 20 }, (_, i) => 29 - i))
  })
})

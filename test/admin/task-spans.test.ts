/** Traces reach tasks: whoever calls, enqueues or schedules a task is in the trace of its runs, or is linked to it. */
import { afterEach, expect, test } from '@jest/globals'
import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import { createClient, createScheduler, type Space } from '../../src/index.js'
import { createWorker, giveUp, type TaskContext } from '../../workers/index.js'
import { everyEngine } from '../support/every-engine.js'
import { bringSdk, type Ended, removeSdk } from '../support/sdk.js'
import { until } from '../support/until.js'

afterEach(removeSdk)

const activeSpan = (): string | undefined => trace.getSpanContext(context.active())?.spanId

/** The function runs in a span of the user's. */
async function under<T>(fn: () => Promise<T>): Promise<{ traceId: string; result: T }> {
  const span = trace.getTracer('user').startSpan('user')
  const result = await context.with(trace.setSpan(context.active(), span), fn)
  return { traceId: span.spanContext().traceId, result }
}

async function serve(space: Space): Promise<(string | undefined)[]> {
  const seen: (string | undefined)[] = []
  const tasks = {
    see: () => void seen.push(activeSpan()),
    third: (_: unknown, { attempt }: TaskContext) => {
      seen.push(activeSpan())
      if (attempt < 3) throw new Error('not yet')
    },
    bad: () => giveUp('for good'),
  }
  await createWorker({ space, tasks }).start()
  return seen
}

const runs = (ended: Ended[]): Ended[] => ended.filter(({ name }) => name.startsWith('process '))

everyEngine('traces', (opened) => {
  test('what a propagator adds and no head can carry is left out, and the task runs', async () => {
    bringSdk()
    propagation.disable()
    propagation.setGlobalPropagator({
      inject(_context, carrier, setter) {
        for (const value of ['a\nX-Admin\n1', 'a\r', '\0', '大']) setter.set(carrier, 'baggage', value)
        setter.set(carrier, 'x\ny', '1')
      },
      extract: (context) => context,
      fields: () => [],
    })
    const { space, other } = opened()
    const seen = await serve(other)
    await createClient({ space }).call('see')
    expect(seen).toHaveLength(1)
  })

  test('a called task is a part of the trace of its caller; the call is a span, too', async () => {
    const ended = bringSdk()
    const { space, other } = opened()
    const seen = await serve(space)
    const client = createClient({ space: other })
    const { traceId } = await under(() => client.call('see', 1))
    await until(() => ended.length === 2, 'both spans to end')
    const [run] = runs(ended)
    const called = ended.find(({ name }) => name === 'call see')!
    expect(called).toMatchObject({ traceId, kind: SpanKind.CLIENT, attributes: { 'takespace.task': 'see' } })
    expect(run).toMatchObject({ traceId, parentId: called.spanId, kind: SpanKind.CONSUMER })
    expect(run!.attributes).toMatchObject({ 'takespace.task': 'see', 'messaging.operation.type': 'process' })
    expect(run!.attributes).not.toHaveProperty('http.request.method')
    expect(seen).toEqual([run!.spanId])
  })

  test('an enqueued task is a part of the trace of who enqueued it and linked to that, at each attempt and after a delay', async () => {
    const ended = bringSdk()
    const { space, other } = opened()
    await createScheduler({ space, stopTimeoutMs: 200 }).start()
    await serve(space)
    const client = createClient({ space: other })
    for (const [task, options, count] of [
      ['see', {}, 1],
      ['see', { delayMs: 20 }, 1],
      ['third', { attempts: 3 }, 3],
    ] as const) {
      ended.length = 0
      const { traceId, result: ticket } = await under(() => client.enqueue(task, 1, options))
      await ticket.result()
      await until(() => runs(ended).length === count, 'the runs to end')
      const sent = ended.find(({ name }) => name === `send ${task}`)!
      expect(sent).toMatchObject({ traceId, kind: SpanKind.PRODUCER })
      for (const run of runs(ended)) {
        expect(run).toMatchObject({ traceId, parentId: sent.spanId, links: [sent.spanId] })
      }
    }
  })

  test('each run of a schedule is a trace of its own, linked to the one in which the schedule was declared', async () => {
    const ended = bringSdk()
    const { space, other } = opened()
    await createScheduler({ space, stopTimeoutMs: 200 }).start()
    await serve(space)
    const client = createClient({ space: other })
    const { traceId } = await under(() => client.schedule('often', { everyMs: 50 }, 'see', 1))
    await until(() => runs(ended).length >= 2, 'two runs to end')
    await client.unschedule('often')
    const declared = ended.find(({ name }) => name === 'schedule see')!
    expect(declared).toMatchObject({ traceId, kind: SpanKind.PRODUCER })
    const traces = new Set(runs(ended).map((run) => run.traceId))
    expect(traces.size).toBe(runs(ended).length)
    expect(traces).not.toContain(traceId)
    for (const run of runs(ended)) expect(run).toMatchObject({ parentId: undefined, links: [declared.spanId] })
  })

  test('a call that fails is a span with its error, and a request of client.fetch goes on at the app', async () => {
    const ended = bringSdk()
    const { space, other } = opened()
    await serve(space)
    const app = { fetch: () => new Response(activeSpan()) }
    await createWorker({ space, app, service: 'app' }).start()
    const client = createClient({ space: other })
    await expect(client.call('bad', 1)).rejects.toMatchObject({ code: 'TASK_FAILED' })
    expect(ended.find(({ name }) => name === 'call bad')!.attributes).toMatchObject({ 'error.type': 'TASK_FAILED' })
    const { traceId, result } = await under(async () => (await client.fetch('/', { service: 'app' })).text())
    await until(() => ended.some(({ name }) => name === 'GET app'), 'the turn to end')
    expect(ended.find(({ name }) => name === 'GET app')).toMatchObject({ traceId, spanId: result })
  })
})

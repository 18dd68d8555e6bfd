/** Many waits share one AbortSignal: no warning, all of them end, and nothing of theirs is left on it. */
import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { createClient, defineEntry } from '../../src/index.js'
import { onAbort, underAny } from '../../src/runtime/abort.js'
import { createWorker } from '../../workers/index.js'
import { everyEngine } from '../support/every-engine.js'
import { until } from '../support/until.js'

const Never = defineEntry('Never')

const warned: string[] = []
const onWarning = ({ name }: Error): void => void warned.push(name)
beforeEach(() => {
  warned.length = 0
  process.on('warning', onWarning)
})
afterEach(() => {
  process.off('warning', onWarning)
  expect(warned).toEqual([])
})

everyEngine({ what: 'a signal', partitions: 'all' }, (opened) => {
  test('hundreds of waits of every kind end when it fires', async () => {
    const { space } = opened()
    const client = createClient({ space })
    const ticket = await client.enqueue('never', 1)
    const stop = new AbortController()
    const { signal } = stop
    const kinds = [
      () => space.take(Never, { signal }),
      () => space.read(Never, { signal, waitMs: 60_000 }),
      () => space.takeAll([Never], { signal }),
      () => space.transact((tx) => space.take(Never, { tx, signal })),
      () => client.call('never', 1, { signal }),
      () => client.fetch('/', { signal }),
      () => ticket.result({ signal }),
    ]
    const waits = Array.from({ length: 30 }, () => kinds.map((wait) => wait().then(String, (error) => error))).flat()
    await until(() => getEventListeners(signal, 'abort').length > 0, 'something to wait')
    await new Promise(setImmediate)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    stop.abort(new Error('stop'))
    for (const reason of await Promise.all(waits)) expect(reason).toBe(signal.reason)
  })

  test('nothing is left on it by waits that end otherwise', async () => {
    const { space } = opened()
    await createWorker({ space, app: { fetch: () => new Response('hello') }, tasks: { double: (n) => n * 2 } }).start()
    const client = createClient({ space })
    const { signal } = new AbortController()
    await Promise.all([
      space.take(Never, { signal, waitMs: 5 }),
      space.takeAll([Never], { signal, waitMs: 5 }),
      space.transact((tx) => space.take(Never, { tx, signal, waitMs: 5 })),
      client.call('double', 1, { signal }),
      client.call('nobody', 1, { signal, timeoutMs: 5 }).catch(() => {}),
      client.fetch('/', { signal }).then((response) => response.text()),
      (await client.enqueue('double', 1)).result({ signal }),
    ])
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

test('each listener is called once; one that was ended is not, nor one that came after the abort', () => {
  const stop = new AbortController()
  const called: number[] = []
  const end = onAbort(stop.signal, () => called.push(0))
  onAbort(stop.signal, () => called.push(1))
  onAbort(stop.signal, () => called.push(2))
  end()
  end()
  stop.abort()
  onAbort(stop.signal, () => called.push(3))
  expect(called).toEqual([1, 2])
})

test('of several signals the first one counts, also one that has fired before', async () => {
  const [first, second] = [new AbortController(), new AbortController()]
  const reason = underAny([first.signal, second.signal], (signal) => {
    second.abort('second')
    first.abort('first')
    return Promise.resolve(signal.reason)
  })
  expect(await reason).toBe('second')
  expect(await underAny([new AbortController().signal, second.signal], async ({ reason }) => reason)).toBe('second')
})

/** The life of one turn: its endings, and that it settles with the space exactly once. */
import { describe, expect, test } from '@jest/globals'
import type { HeldRequest, HttpRequest, HttpResponse } from '../../src/request.js'
import { nodeHandler } from '../../workers/apps/node.js'
import type { Handler, TurnContext } from '../../workers/handler.js'
import { Turn } from '../../workers/turn.js'
import { collectGarbage } from '../support/garbage.js'
import { until } from '../support/until.js'
import { type Logged, ranOf, requestOf, takenOf, watchOf } from './turns.js'

const OK: HttpResponse = { status: 200, reason: 'OK', headers: ['X-A', 'b'], body: Buffer.from('done') }

/** A handler that the test ends when it likes. */
function held(): {
  handle: Handler
  begun: Promise<TurnContext>
  answer(r: HttpResponse): void
  fail(e: unknown): void
} {
  let answer!: (response: HttpResponse) => void
  let fail!: (error: unknown) => void
  let begin!: (turn: TurnContext) => void
  const result = new Promise<HttpResponse>((resolve, reject) => {
    answer = resolve
    fail = reject
  })
  const begun = new Promise<TurnContext>((resolve) => {
    begin = resolve
  })
  const handle: Handler = (_request, turn) => {
    begin(turn)
    return result
  }
  return { handle, begun, answer, fail }
}

function turnOf(handle: Handler, parts: Partial<HeldRequest> = {}, request: Partial<HttpRequest> = {}) {
  const watch = watchOf()
  const taken = takenOf(requestOf(request), parts)
  return { turn: new Turn(taken, handle, watch), taken, ...watch }
}

/** What wakes somebody. */
const loud = ({ lines }: { lines: readonly Logged[] }) => lines.filter(({ level }) => level !== 'debug')

const answered: Handler = async () => OK

test('a turn that is handled completes with the response', async () => {
  const { turn, taken } = turnOf(answered)
  await ranOf(turn)
  expect(taken.calls).toEqual(['complete'])
  expect(taken.answers).toEqual([OK])
})

describe('a request that may not run twice', () => {
  test('is started before its handler runs', async () => {
    const calls: string[] = []
    const handle: Handler = async () => {
      calls.push('handle')
      return OK
    }
    const start = async () => {
      calls.push('start')
      return true
    }
    await ranOf(turnOf(handle, { repeatable: false, start }).turn)
    expect(calls).toEqual(['start', 'handle'])
  })

  test('does not run when the claim is lost by then, and the credit is given back', async () => {
    let ran = false
    const handle: Handler = async () => {
      ran = true
      return OK
    }
    const { turn, taken } = turnOf(handle, { repeatable: false, start: async () => false })
    await ranOf(turn)
    expect([ran, taken.calls]).toEqual([false, ['release']])
  })

  test('does not run when the space cannot be told, and goes back', async () => {
    let ran = false
    const handle: Handler = async () => {
      ran = true
      return OK
    }
    const { turn, taken } = turnOf(handle, { repeatable: false, start: () => Promise.reject(new Error('gone')) })
    await ranOf(turn)
    expect([ran, taken.calls]).toEqual([false, ['release']])
  })

  test('is asked about again if the reply is older than what the process can rely on', async () => {
    const calls: string[] = []
    const start = async () => {
      calls.push('start')
      return true
    }
    const handle: Handler = async () => {
      calls.push('handle')
      return OK
    }
    const { turn, taken } = turnOf(handle, { repeatable: true, start })
    // Until the second reply, as after a freeze.
    Object.defineProperty(taken, 'isDoubtful', { get: () => calls.length < 2 })
    await ranOf(turn)
    expect(calls).toEqual(['start', 'start', 'handle'])
  })

  test('does not run when it was cut while the space was told', async () => {
    const { turn, taken } = turnOf(() => Promise.reject(new Error('it ran')), {
      repeatable: false,
      start: async () => {
        turn.stop()
        return true
      },
    })
    await ranOf(turn)
    expect(taken.calls).toEqual(['release'])
  })
})

test('a request whose deadline has passed is not run', async () => {
  let ran = false
  const handle: Handler = async () => {
    ran = true
    return OK
  }
  const { turn, taken } = turnOf(handle, { remainingMs: 0, repeatable: false })
  await ranOf(turn)
  expect([ran, taken.calls, taken.answers[0]?.status]).toEqual([false, ['complete'], 504])
})

describe('a handler that fails', () => {
  test('is answered 500 with nothing leaked; the error goes to the logger only', async () => {
    const secret = new Error('password is hunter2')
    const { turn, taken, logger } = turnOf(() => Promise.reject(secret))
    await ranOf(turn)
    const [response] = taken.answers
    expect(response?.status).toBe(500)
    expect(JSON.stringify(response) + response?.body.toString()).not.toMatch(/hunter2|at .*\.ts/)
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ level: 'error', fields: expect.objectContaining({ err: secret }) }),
    )
  })

  test('by throwing nothing at all is answered 500', async () => {
    const { turn, taken } = turnOf(() => Promise.reject(undefined))
    await ranOf(turn)
    expect(taken.answers[0]?.status).toBe(500)
  })

  test('by destroying its connection is answered 502', async () => {
    const { turn, taken } = turnOf(nodeHandler((_req, res) => void res.destroy()))
    await ranOf(turn)
    expect([taken.calls, taken.answers[0]?.status]).toEqual([['complete'], 502])
  })

  const impossible: Record<string, Partial<HttpResponse>> = {
    'CR LF in a value': { headers: ['X-A', 'b\r\nSet-Cookie: c=d'] },
    'LF in a value': { headers: ['X-A', 'b\nc'] },
    'NUL in a value': { headers: ['X-A', 'b\0c'] },
    'a value beyond Latin-1': { headers: ['X-A', '\u4f60'] },
    'a space in a name': { headers: ['X A', 'b'] },
    'an empty name': { headers: ['', 'b'] },
    'CR LF in the reason': { reason: 'OK\r\nX: y' },
    'an interim status': { status: 101 },
    'a status of no class': { status: 99 },
    'a status that is no number': { status: Number.NaN },
    'a length that is not its length': { headers: ['Content-Length', '3'] },
    'a transfer coding beneath chunked': { headers: ['Transfer-Encoding', 'gzip, chunked'] },
    'another transfer coding': { headers: ['transfer-encoding', 'gzip'] },
  }
  for (const [name, parts] of Object.entries(impossible)) {
    test(`by answering with ${name} is answered 502`, async () => {
      const { turn, taken } = turnOf(async () => ({ ...OK, ...parts }))
      await ranOf(turn)
      expect([taken.calls, taken.answers[0]?.status]).toEqual([['complete'], 502])
    })
  }
})

test('hop-by-hop fields and framing end at the worker, all else stays in its order', async () => {
  const headers = [
    'Connection',
    'close, X-Private',
    'X-B',
    '1',
    'Transfer-Encoding',
    'identity',
    'Set-Cookie',
    'a=1',
    'x-private',
    'p',
  ]
  const { turn, taken } = turnOf(async () => ({
    ...OK,
    headers: [...headers, 'Set-Cookie', 'b=2', 'Content-Length', '4', 'Keep-Alive', 'timeout=5', 'X-A', '2'],
  }))
  await ranOf(turn)
  expect(taken.answers[0]?.headers).toEqual(['X-B', '1', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-A', '2'])
})

describe('a turn that is cut', () => {
  test('at its deadline: the signal fires, and a handler that heeds it frees its slot at once', async () => {
    const { handle, begun, fail } = held()
    const { turn, taken, logger, overrun, counters } = turnOf(handle)
    const run = ranOf(turn)
    const { signal } = await begun
    expect(signal.aborted).toBe(false)
    turn.overdue()
    expect(signal.reason).toMatchObject({ code: 'REQUEST_TIMEOUT' })
    expect(taken.calls).toEqual([])
    fail(signal.reason)
    await run
    expect([taken.calls, taken.answers[0]?.status]).toEqual([['complete'], 504])
    // It does what it should: nobody need be woken.
    expect([loud(logger), overrun.size, counters.overrunHandlers, counters.endings.late]).toEqual([[], 0, 0, 1])
  })

  test('because its claim was lost: the signal fires, and a handler that heeds it frees its slot at once', async () => {
    const { handle, begun, fail } = held()
    const { turn, taken, logger, overrun, watched } = turnOf(handle)
    const run = ranOf(turn)
    const { signal } = await begun
    taken.onLost?.()
    expect(signal.reason).toMatchObject({ code: 'CLAIM_LOST' })
    // Its grace ends long before its deadline would have come.
    expect([watched, taken.calls]).toEqual([[turn], []])
    expect(turn.dueAt - turn.takenAt).toBeLessThan(taken.remainingMs)
    fail(signal.reason)
    await run
    // No outcome: the space may have ended the claim by mistake, and somebody may still wait.
    expect([taken.calls, loud(logger), overrun.size]).toEqual([['release'], [], 0])
  })

  const described = {
    level: 'warn',
    fields: { id: 'r1', service: 'web', method: 'PUT', path: '/a', ms: expect.any(Number) },
    message: 'the handler runs on although its request is over',
  }

  test('at its deadline, and whose handler heeds nothing: its slot is free after a grace, and it is counted until it ends', async () => {
    const { handle, begun, answer } = held()
    const { turn, taken, logger, overrun, counters, watched } = turnOf(handle, {}, { method: 'PUT', target: '/a?b=c' })
    const run = ranOf(turn)
    await begun
    turn.overdue()
    expect([watched, taken.calls, overrun.size]).toEqual([[turn], [], 0])
    turn.overdue()
    // Once is enough, however often it is asked.
    turn.overdue()
    await run
    expect([taken.calls, taken.answers[0]?.status, overrun.size, counters.overrunHandlers]).toEqual([
      ['complete'],
      504,
      1,
      1,
    ])
    expect(loud(logger)).toEqual([described])
    answer(OK)
    await new Promise(setImmediate)
    expect([taken.calls, overrun.size, counters.overrunHandlers, counters.endings.late]).toEqual([
      ['complete'],
      0,
      1,
      1,
    ])
  })

  test('because its client has left: its slot is free after a grace, and its handler is counted only if it does something', async () => {
    const { handle, begun, answer } = held()
    const { turn, taken, logger, overrun, counters } = turnOf(handle, {}, { method: 'PUT', target: '/a?b=c' })
    const run = ranOf(turn)
    const context = await begun
    taken.onLost?.()
    // Its last words come within the grace.
    context.runsOn()
    turn.overdue()
    await run
    expect([taken.calls, overrun.size, counters.overrunHandlers, loud(logger)]).toEqual([['release'], 0, 0, []])
    context.runsOn()
    context.runsOn()
    expect([overrun.size, counters.overrunHandlers, loud(logger)]).toEqual([1, 1, [described]])
    answer(OK)
    await new Promise(setImmediate)
    expect([overrun.size, counters.overrunHandlers, counters.endings.lost]).toEqual([0, 1, 1])
  })

  test('and whose handler does nothing more, without a word, is counted until that is seen', async () => {
    const watch = { ...watchOf(), deadlines: { watch() {} } }
    const { overrun } = watch
    const forgotten = async (): Promise<void> => {
      const turn = new Turn(takenOf(requestOf()), () => new Promise(() => {}), watch)
      const run = ranOf(turn)
      turn.overdue()
      turn.overdue()
      await run
    }
    await forgotten()
    expect(overrun.size).toBe(1)
    await until(() => {
      collectGarbage()
      return overrun.size === 0
    }, 'nothing refers to it any more')
  })

  test('waits no longer for its handler when the worker stops', async () => {
    const { handle, begun } = held()
    const { turn, taken, overrun } = turnOf(handle)
    const run = ranOf(turn)
    await begun
    turn.overdue()
    turn.stop()
    await run
    expect([taken.calls, overrun.size]).toEqual([['complete'], 0])
  })

  test('by the worker: what may run again goes back, what may not is answered 502', async () => {
    for (const [repeatable, calls] of [[true, ['release']] as const, [false, ['start', 'complete']] as const]) {
      const { handle, begun } = held()
      const { turn, taken } = turnOf(handle, { repeatable })
      const run = ranOf(turn)
      const { signal } = await begun
      turn.stop()
      await run
      expect(signal.aborted).toBe(true)
      expect(taken.calls).toEqual(calls)
      if (!repeatable) expect(taken.answers[0]?.status).toBe(502)
    }
  })

  test('has a signal that has fired, for whoever asks for it only then', async () => {
    const { handle, begun } = held()
    const { turn } = turnOf(handle)
    const run = ranOf(turn)
    const context = await begun
    turn.overdue()
    expect(context.signal.aborted).toBe(true)
    turn.overdue()
    await run
  })
})

test('a handler that keeps the event loop busy past its deadline, and then answers, is late', async () => {
  const { turn, taken, overrun, counters } = turnOf(
    async () => {
      const end = performance.now() + 3
      while (performance.now() < end);
      return OK
    },
    { remainingMs: 2 },
  )
  await ranOf(turn)
  expect([taken.calls, taken.answers[0]?.status]).toEqual([['complete'], 504])
  expect([counters.endings.late, overrun.size, counters.overrunHandlers]).toEqual([1, 0, 0])
})

test('the signal of a turn that is answered never fires', async () => {
  let signal: AbortSignal | undefined
  const { turn, taken } = turnOf(async (_request, context) => {
    signal = context.signal
    return OK
  })
  await ranOf(turn)
  turn.overdue()
  turn.stop()
  taken.onLost?.()
  expect(signal?.aborted).toBe(false)
  expect(taken.calls).toEqual(['complete'])
})

test('an answer that does not reach the space, or is refused, is logged and harms nobody', async () => {
  for (const complete of [() => Promise.reject(new Error('gone')), async () => false]) {
    const { turn, logger } = turnOf(answered, { complete })
    await ranOf(turn)
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn', 'debug'])
  }
})

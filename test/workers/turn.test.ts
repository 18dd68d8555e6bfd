/** The life of one turn: its endings, and that it settles with the space exactly once. */
import { describe, expect, test } from '@jest/globals'
import type { HttpResponse, Taken } from '../../src/request.js'
import { nodeHandler } from '../../workers/apps/node.js'
import type { Handler, TurnContext } from '../../workers/handler.js'
import { Turn } from '../../workers/turn.js'
import { listening, requestOf, takenOf } from './turns.js'

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

function turnOf(handle: Handler, parts: Partial<Taken> = {}) {
  const logger = listening()
  const taken = takenOf(requestOf(), parts)
  return { turn: new Turn(taken, handle, logger), taken, logger }
}

const answered: Handler = async () => OK

test('a turn that is handled completes with the response', async () => {
  const { turn, taken } = turnOf(answered)
  await turn.run()
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
    await turnOf(handle, { repeatable: false, start }).turn.run()
    expect(calls).toEqual(['start', 'handle'])
  })

  test('does not run when the claim is lost by then, and the credit is given back', async () => {
    let ran = false
    const handle: Handler = async () => {
      ran = true
      return OK
    }
    const { turn, taken } = turnOf(handle, { repeatable: false, start: async () => false })
    await turn.run()
    expect([ran, taken.calls]).toEqual([false, ['complete']])
  })

  test('does not run when the space cannot be told, and goes back', async () => {
    let ran = false
    const handle: Handler = async () => {
      ran = true
      return OK
    }
    const { turn, taken } = turnOf(handle, { repeatable: false, start: () => Promise.reject(new Error('gone')) })
    await turn.run()
    expect([ran, taken.calls]).toEqual([false, ['release']])
  })

  test('does not run when it was cut while the space was told', async () => {
    const { turn, taken } = turnOf(() => Promise.reject(new Error('it ran')), {
      repeatable: false,
      start: async () => {
        turn.stop()
        return true
      },
    })
    await turn.run()
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
  await turn.run()
  expect([ran, taken.calls, taken.answers[0]?.status]).toEqual([false, ['complete'], 504])
})

describe('a handler that fails', () => {
  test('is answered 500 with nothing leaked; the error goes to the logger only', async () => {
    const secret = new Error('password is hunter2')
    const { turn, taken, logger } = turnOf(() => Promise.reject(secret))
    await turn.run()
    const [response] = taken.answers
    expect(response?.status).toBe(500)
    expect(JSON.stringify(response) + response?.body.toString()).not.toMatch(/hunter2|at .*\.ts/)
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ level: 'error', fields: expect.objectContaining({ err: secret }) }),
    )
  })

  test('by throwing nothing at all is answered 500', async () => {
    const { turn, taken } = turnOf(() => Promise.reject(undefined))
    await turn.run()
    expect(taken.answers[0]?.status).toBe(500)
  })

  test('by destroying its connection is answered 502', async () => {
    const { turn, taken } = turnOf(nodeHandler((_req, res) => void res.destroy()))
    await turn.run()
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
  }
  for (const [name, parts] of Object.entries(impossible)) {
    test(`by answering with ${name} is answered 502`, async () => {
      const { turn, taken } = turnOf(async () => ({ ...OK, ...parts }))
      await turn.run()
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
    'chunked',
    'Set-Cookie',
    'a=1',
    'x-private',
    'p',
  ]
  const { turn, taken } = turnOf(async () => ({
    ...OK,
    headers: [...headers, 'Set-Cookie', 'b=2', 'Content-Length', '4', 'Keep-Alive', 'timeout=5', 'X-A', '2'],
  }))
  await turn.run()
  expect(taken.answers[0]?.headers).toEqual(['X-B', '1', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-A', '2'])
})

describe('a turn that is cut', () => {
  test('at its deadline: the signal fires, the slot is given back, a late answer is dropped', async () => {
    const { handle, begun, answer } = held()
    const { turn, taken } = turnOf(handle)
    const run = turn.run()
    const { signal } = await begun
    expect(signal.aborted).toBe(false)
    turn.overdue()
    await run
    expect(signal.reason).toMatchObject({ code: 'REQUEST_TIMEOUT' })
    answer(OK)
    await new Promise(setImmediate)
    expect([taken.calls, taken.answers[0]?.status]).toEqual([['complete'], 504])
  })

  test('because its claim was lost: the signal fires, and the credit is given back', async () => {
    const { handle, begun, fail } = held()
    const calls: string[] = []
    const complete = async () => {
      calls.push('refused')
      return false
    }
    const { turn, taken, logger } = turnOf(handle, { complete })
    const run = turn.run()
    const { signal } = await begun
    taken.onLost?.()
    await run
    expect(signal.reason).toMatchObject({ code: 'CLAIM_LOST' })
    fail(signal.reason)
    await new Promise(setImmediate)
    expect(calls).toEqual(['refused'])
    // A handler that heeds its signal does what it should: nobody need be woken.
    expect(logger.lines.filter(({ level }) => level !== 'debug')).toEqual([])
  })

  test('by the worker: what may run again goes back, what may not is answered 502', async () => {
    for (const [repeatable, calls] of [[true, ['release']] as const, [false, ['start', 'complete']] as const]) {
      const { handle, begun } = held()
      const { turn, taken } = turnOf(handle, { repeatable })
      const run = turn.run()
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
    const run = turn.run()
    const context = await begun
    turn.overdue()
    await run
    expect(context.signal.aborted).toBe(true)
  })
})

test('the signal of a turn that is answered never fires', async () => {
  let signal: AbortSignal | undefined
  const { turn, taken } = turnOf(async (_request, context) => {
    signal = context.signal
    return OK
  })
  await turn.run()
  turn.overdue()
  turn.stop()
  taken.onLost?.()
  expect(signal?.aborted).toBe(false)
  expect(taken.calls).toEqual(['complete'])
})

test('an answer that does not reach the space, or is refused, is logged and harms nobody', async () => {
  for (const complete of [() => Promise.reject(new Error('gone')), async () => false]) {
    const { turn, logger } = turnOf(answered, { complete })
    await turn.run()
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn', 'debug'])
  }
})

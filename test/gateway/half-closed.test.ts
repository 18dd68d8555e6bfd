/** A client that closes its side of the connection still gets its answers; one that has left is noticed. */
import { describe, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { type Served, serving, signal, statusOf, wire } from './serving.js'

const get = (target = '/', version = '1.1'): string => `GET ${target} HTTP/${version}\r\nHost: a\r\n\r\n`

/** Answers when the gateway has noticed the half-close: when its client has the first letter of the answer. */
async function halfClosing(bytes: string): Promise<string> {
  const noticed = signal()
  await using s: Served = await serving(async ({ target }) => {
    await noticed.promise
    return { body: Buffer.from(target) }
  })
  const line = await wire(s.port)
  line.send(bytes)
  line.socket.end()
  await line.receive((text) => text.length > 0)
  noticed.resolve()
  return line.receive()
}

describe('a client that closes its side after its request', () => {
  test.each([
    ['HTTP/1.1', get()],
    ['HTTP/1.0', get('/', '1.0')],
    ['a body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx'],
    ['a malformed request', 'GET / HTTP/1.1\r\n\r\n'],
  ])('gets its answer whole: %s', async (what, bytes) => {
    const text = await halfClosing(bytes)
    expect(statusOf(text)).toBe(what === 'a malformed request' ? 400 : 200)
    expect(text.match(/HTTP\/1/g)).toHaveLength(1)
  })

  test('gets all answers, if it has sent several requests', async () => {
    const text = await halfClosing(get('/one') + get('/two') + get('/three'))
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(3)
    expect(text.match(/\/(?:one|two|three)/g)).toEqual(['/one', '/two', '/three'])
  })

  test('gets a streamed answer', async () => {
    const text = await halfClosing(get(`/${'x'.repeat(15_000)}`))
    expect(text.endsWith('x'.repeat(15_000))).toBe(true)
  })

  test('gets 400 if the request is not complete, after the answers to those before', async () => {
    const text = await halfClosing(`${get()}POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx`)
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400'])
  })
})

test('a client that has left is noticed, whichever way it goes', async () => {
  const lost = signal()
  let given = 0
  await using s = await serving(
    (_request, taken) =>
      new Promise(() => {
        taken.onLost = () => ++given === 2 && lost.resolve()
      }),
  )
  for (const leave of ['destroy', 'resetAndDestroy'] as const) {
    const line = await wire(s.port)
    line.send(get())
    while (s.seen.length < (leave === 'destroy' ? 1 : 2)) await new Promise(setImmediate)
    line.socket[leave]()
  }
  await lost.promise
})

/** Each takes a millisecond or more: enough for four letters, and fewer than 50 ms. */
const TURNS = 35

test('a client on the machine of the gateway, such as a proxy, that has left is noticed within a few turns', async () => {
  let isLost = false
  await using s = await serving(
    (_request, taken) =>
      new Promise(() => {
        taken.onLost = () => {
          isLost = true
        }
      }),
  )
  const line = await wire(s.port)
  line.send(get())
  while (s.seen.length < 1) await new Promise(setImmediate)
  line.socket.destroy()
  for (let turn = 0; turn < TURNS && !isLost; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
  expect(isLost).toBe(true)
})

failOnLeaks()

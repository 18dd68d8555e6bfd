/** currentRequest(): it has an answer in everything that a request sets off, the listeners of its end included. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from '@jest/globals'
import { createClient, openSpace } from '../../src/index.js'
import { createWorker, currentRequest } from '../../workers/index.js'
import { failOnLeaks } from '../support/leaks.js'

test('every listener that the end of a request calls can ask for its request', async () => {
  await using space = await openSpace('memory:')
  const heard: Record<string, string> = {}
  let id = ''
  let began = (): void => {}
  let ended = (): void => {}
  const begun = new Promise<void>((resolve) => {
    began = resolve
  })
  const done = new Promise<void>((resolve) => {
    ended = resolve
  })
  const note = (who: string) => () => {
    heard[who] = currentRequest().id
    if (Object.keys(heard).length === 6) ended()
  }
  let signal: AbortSignal | undefined
  const app = (_req: IncomingMessage, res: ServerResponse): void => {
    const current = currentRequest()
    id = current.id
    signal = current.signal
    signal.addEventListener('abort', note('listener'))
    signal.onabort = note('onabort')
    AbortSignal.any([signal]).addEventListener('abort', note('derived signal'))
    signal.addEventListener('abort', () => setTimeout(note('timer of a listener')))
    res.on('close', note('close of the response'))
    began()
  }
  await createWorker({ space, app }).start()
  const client = createClient({ space })
  const leaving = new AbortController()
  const asked = client.fetch('/', { signal: leaving.signal }).catch(() => {})
  await begun
  // Added outside of the handler, by a part of the app that was given the signal.
  signal!.addEventListener('abort', note('listener from elsewhere'))
  leaving.abort()
  await Promise.all([asked, done])
  expect(new Set(Object.values(heard))).toEqual(new Set([id]))
  expect(() => currentRequest()).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})

failOnLeaks()

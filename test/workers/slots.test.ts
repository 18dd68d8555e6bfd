/** A slot that a hanging handler has kept beyond its deadline comes back, once. */
import type { ServerResponse } from 'node:http'
import { expect, test } from '@jest/globals'
import { AnyEntry } from '../../src/index.js'
import { type Sent, sendRequest } from '../../src/request.js'
import { type App, createWorker } from '../../workers/index.js'
import { everyEngine } from '../support/every-engine.js'
import { until } from '../support/until.js'
import { requestOf } from './turns.js'

const CONCURRENCY = 2

everyEngine('slots', (opened) => {
  test.each(['the deadline has passed', 'the client has gone'])(
    'when %s and the handler heeds nothing',
    async (why) => {
      const { space, other } = opened()
      const hanging: ServerResponse[] = []
      const held: ServerResponse[] = []
      const app: App = (req, res) => void (req.url === '/hang' ? hanging : held).push(res)
      await using worker = createWorker({ space: other, app, concurrency: CONCURRENCY })
      await worker.start()
      const send = (target: string, timeoutMs: number): Sent =>
        sendRequest(space, requestOf({ target }), { service: 'web', timeoutMs, priority: 0, repeatable: true })

      const gone = why === 'the client has gone'
      const lost = [1, 2].map(() => send('/hang', gone ? 20_000 : 500))
      for (const { response } of lost) response.catch(() => {})
      await until(() => hanging.length === CONCURRENCY, 'both are taken')
      const next = Array.from({ length: 6 }, () => send('/next', 20_000))
      if (gone) for (const { withdraw } of lost) withdraw()
      await until(() => held.length === CONCURRENCY, 'the slots are free')
      // A handler whose client has gone may have ended without a word.
      expect(worker.turns.overrunHandlers).toBe(gone ? 0 : CONCURRENCY)

      // It never holds more than it has room for: with each that ends, one comes.
      for (let done = 0; done < next.length; done++) {
        const due = Math.min(done + CONCURRENCY, next.length)
        await until(() => held.length >= due, `${due} have been taken`)
        // What was handed out before this is answered has arrived by then.
        await other.readIfExists(AnyEntry)
        expect(held.length).toBe(due)
        held[done]?.end('x')
      }
      const answers = await Promise.all(next.map(({ response }) => response))
      expect(answers.map(({ status }) => status)).toEqual(next.map(() => 200))
      for (const res of hanging) res.end()
      await until(() => worker.turns.overrunHandlers === 0, 'they have ended')
    },
  )
})

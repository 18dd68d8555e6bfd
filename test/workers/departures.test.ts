/** Handlers of event streams whose clients have left: those that end are nothing, those that go on are found. */

import { expect, test } from '@jest/globals'
import type { Request, Response } from 'express'
import express from 'express'
import { openSpace } from '../../src/index.js'
import { sendRequest } from '../../src/request.js'
import { createWorker } from '../../workers/index.js'
import { until } from '../support/until.js'
import { listening, requestOf } from './turns.js'

const EVERY_MS = 50

const begin = (res: Response): NodeJS.Timeout => {
  res.set('content-type', 'text/event-stream')
  res.flushHeaders()
  res.write('data: hello\n\n')
  return setInterval(() => res.write('data: tick\n\n'), EVERY_MS)
}

const HANDLERS: Record<string, (req: Request, res: Response) => unknown> = {
  'ends its timer on close': (req, res) => {
    const timer = begin(res)
    req.on('close', () => clearInterval(timer))
  },
  'has ended its timer and waits for what never comes': async (req, res) => {
    const timer = begin(res)
    req.on('close', () => clearInterval(timer))
    await new Promise(() => {})
  },
  'writes a last word and ends its timer': (req, res) => {
    const timer = begin(res)
    req.on('close', () => {
      res.write('data: bye\n\n')
      clearInterval(timer)
    })
  },
}

/** Clients that see an event and leave; then so many handlers are said to run on, and so many are told of. */
async function leave(handler: (req: Request, res: Response) => unknown, clients: number) {
  const logger = listening()
  await using space = await openSpace('memory:')
  const app = express().get('/', (req, res) => void handler(req, res))
  const worker = createWorker({ space, app, concurrency: 16, logger })
  await worker.start()
  const terms = { service: 'web', timeoutMs: 20_000, priority: 0, repeatable: true }
  const sent = Array.from({ length: clients }, () => sendRequest(space, requestOf(), terms))
  await Promise.all(sent.map(({ response }) => response))
  for (const { withdraw } of sent) withdraw()
  await until(() => worker.turns.inFlight === 0, 'the slots are free')
  return { worker, logger, warnings: () => logger.lines.filter(({ level }) => level === 'warn') }
}

test.each(Object.entries(HANDLERS))('one that %s is not counted, and not told of', async (_what, handler) => {
  const { worker, warnings, logger } = await leave(handler, 80)
  expect([worker.turns.overrunHandlers, warnings()]).toEqual([0, []])
  expect(logger.lines.filter(({ message }) => message.startsWith('the client disconnected')).length).toBe(80)
})

test('one that forgets its timer is counted by its next write, until it ends', async () => {
  const timers: NodeJS.Timeout[] = []
  const forgetful = (_req: Request, res: Response): void => void timers.push(begin(res))
  const { worker, warnings } = await leave(forgetful, 3)
  await until(() => worker.turns.overrunHandlers === 3, 'they are counted')
  const told = warnings().filter(({ message }) => message === 'the handler runs on although its request is over')
  expect(told.length).toBe(3)
  for (const timer of timers) clearInterval(timer)
})

/** currentRequest().transaction: what a handler writes, takes and reads under it becomes so together with its answer, or never. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { AnyEntry } from '../../src/entry.js'
import { createWorker, currentRequest } from '../../workers/index.js'
import { everyEngine, testInOnePartition } from '../support/every-engine.js'
import { Other, Task } from '../support/kinds.js'

everyEngine('the transaction of a request', (opened) => {
  type Handle = (res: ServerResponse, req: IncomingMessage) => Promise<void>

  async function ask(handle: Handle, init: RequestInit = {}): Promise<Response> {
    const { space, other } = opened()
    const worker = createWorker({ space: other, app: (req, res) => handle(res, req) })
    await worker.start()
    const response = await createClient({ space }).fetch('/', { ...init, timeoutMs: 5_000 })
    await worker.stop()
    return response
  }

  test('what is written under it is there when the answer is', async () => {
    const { space, other } = opened()
    const response = await ask(async (res) => {
      const { transaction: tx } = currentRequest()
      await other.write(Task({ id: 'a', note: 'n'.repeat(5_000) }), { tx })
      await other.writeAll([Task({ id: 'b' }), Other({ id: 'c' })], { tx })
      expect(await other.readIfExists(AnyEntry)).toBeNull()
      res.end('done')
    })
    expect(await response.text()).toBe('done')
    expect(await space.takeAll([Task, Other], { waitMs: 0 })).toMatchObject([{ id: 'a' }, { id: 'b' }, { id: 'c' }])
  })

  testInOnePartition('it takes and reads, too, and sees what was written under it', async () => {
    const { space, other } = opened()
    await space.write(Task({ id: 'in' }))
    await space.write(Other({ id: 'kept' }))
    const response = await ask(async (res) => {
      const { transaction: tx } = currentRequest()
      await other.write(Task({ id: 'out' }), { tx })
      expect(await other.take(Task, { tx })).toEqual({ id: 'in' })
      expect(await other.read(Task.template({ id: 'out' }), { tx })).toEqual({ id: 'out' })
      expect(await other.read(Other, { tx })).toEqual({ id: 'kept' })
      expect(await space.takeIfExists(Other)).toBeNull()
      res.statusCode = 201
      res.end()
    })
    expect(response.status).toBe(201)
    expect(await space.takeAll([Task, Other], { waitMs: 0 })).toEqual([{ id: 'out' }, { id: 'kept' }])
  })

  const failing = {
    throws: () => Promise.reject(new Error('mine')),
    'answers 500': async (res: ServerResponse) => {
      res.statusCode = 500
      res.end()
    },
  }
  for (const [what, end] of Object.entries(failing)) {
    testInOnePartition(`a handler that ${what}: nothing of it is so, and what it took is back`, async () => {
      const { space, other } = opened()
      await space.write(Task({ id: 'in' }))
      const response = await ask(async (res) => {
        const { transaction: tx } = currentRequest()
        await other.take(Task, { tx })
        await other.write(Task({ id: 'out' }), { tx })
        await end(res)
      })
      expect(response.status).toBe(500)
      expect(await space.take(Task, { waitMs: 5_000 })).toEqual({ id: 'in' })
      expect(await space.readIfExists(AnyEntry)).toBeNull()
    })
  }

  test('it ends with its request, not by hand, and not before', async () => {
    const { other } = opened()
    let tx = {} as ReturnType<typeof currentRequest>['transaction']
    const response = await ask(async (res) => {
      tx = currentRequest().transaction
      expect(currentRequest().transaction).toBe(tx)
      await expect(tx.commit()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      await expect(tx.abort()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      res.end()
    })
    expect(response.status).toBe(200)
    await expect(other.write(Task({ id: 'late' }), { tx })).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' })
  })

  test('an answer that is refused commits nothing', async () => {
    const { space, other } = opened()
    const controller = new AbortController()
    const worker = createWorker({
      space: other,
      app: async (_, res) => {
        const { transaction: tx, signal } = currentRequest()
        await other.write(Task({ id: 'out' }), { tx })
        controller.abort()
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
        res.end()
      },
    })
    await worker.start()
    await expect(createClient({ space }).fetch('/', { signal: controller.signal })).rejects.toThrow()
    await worker.stop()
    expect(await space.readIfExists(AnyEntry)).toBeNull()
  })
})

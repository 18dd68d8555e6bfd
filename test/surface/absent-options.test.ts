/** An option that is `undefined` counts as one that is not given, in every public function: so the types say, and programs pass settings on. */
import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { createGateway } from '../../gateway/index.js'
import { createClient, defineEntry, openSpace } from '../../src/index.js'
import { fetchSessions, SpaceSessionStore } from '../../src/session/index.js'
import { createWorker } from '../../workers/index.js'

const text = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')

/** All optional names of an interface or of those that it extends, each `undefined`. */
function nothing(file: string, ...names: string[]): Record<string, undefined> {
  const bodies = names.map((name) => {
    const found = new RegExp(
      `^(?:export )?(?:interface|type) ${name}\\b[^{]*(?:\\{|$)\\n([\\s\\S]*?)^(?:\\}|$)`,
      'm',
    ).exec(text(file))
    if (!found) throw new Error(`${file} has no ${name}`)
    return found[1]!
  })
  const optional = bodies.flatMap((body) => [...body.matchAll(/^\s+readonly (\w+)\?: /gm)].map(([, name]) => name!))
  expect(optional.length).toBeGreaterThan(0)
  return Object.fromEntries(optional.map((name) => [name, undefined]))
}

const Task = defineEntry<{ id: string }>('Task')

test('of a space', async () => {
  const open = { ...nothing('src/open.ts', 'OpenOptions'), ...nothing('src/engine/bounds.ts', 'Bounds') }
  await using space = await openSpace('memory:', open)
  const lease = await space.write(Task({ id: 'a' }), nothing('src/space/write.ts', 'WriteOptions'))
  expect(lease.expiresInMs).toBeGreaterThan(60_000)
  await space.writeAll([Task({ id: 'b' }), Task({ id: 'c' })], nothing('src/space/write.ts', 'WriteOptions'))
  const find = nothing('src/space/find.ts', 'FindOptions')
  expect(await space.read(Task, find)).toEqual({ id: 'a' })
  expect(await space.take(Task, find)).toEqual({ id: 'a' })
  expect(await space.takeIfExists(Task, find)).toEqual({ id: 'b' })
  expect(await space.readIfExists(Task, find)).toEqual({ id: 'c' })
  for await (const entry of space.contents(Task, nothing('src/space/contents.ts', 'ContentsOptions'))) {
    expect(entry).toEqual({ id: 'c' })
  }
  const some = nothing('src/space/take-all.ts', 'TakeAllOptions')
  expect(await space.readAll([Task], some)).toEqual([{ id: 'c' }])
  expect(await space.takeAll([Task], nothing('src/space/take-all.ts', 'TakeAllOptions'))).toEqual([{ id: 'c' }])
  await space.transact(() => {}, nothing('src/space/transaction.ts', 'TransactionOptions'))
  space.keepAlive([lease], nothing('src/space/keep-alive.ts', 'KeepAliveOptions')).stop()
  const watch = space.watch(Task, nothing('src/space/watch.ts', 'WatchOptions'))
  const heard: string[] = []
  const options = nothing('src/space/notify.ts', 'NotifyOptions')
  const registration = await space.notify([Task], ({ entry }) => heard.push(entry.id), options)
  expect(registration.lease.expiresInMs).toBeGreaterThan(60_000)
  const next = space.take(Task)
  await space.write(Task({ id: 'd' }))
  await next
  expect(heard).toEqual(['d'])
  expect((await watch.next()).value).toMatchObject({ entry: { id: 'd' } })
})

test('of gateways, workers and clients', async () => {
  await using space = await openSpace('memory:')
  const gateway = createGateway({ ...nothing('gateway/options.ts', 'GatewayOptions'), space })
  expect(gateway.url).toBe('http://127.0.0.1:8080')
  const [service] = [{ ...nothing('gateway/service-options.ts', 'ServiceOptions'), service: 'web' }]
  createGateway({ space, services: [service] })
  const worker = createWorker({
    ...nothing('workers/index.ts', 'WorkerSettings'),
    space,
    app: (_req, res) => void res.end('hello'),
    tasks: { ping: () => 'pong' },
  })
  await worker.start()
  const client = createClient({ ...nothing('src/client.ts', 'ClientOptions'), space })
  const response = await client.fetch('/', nothing('src/request/fetch.ts', 'ClientFetchOptions'))
  expect(await response.text()).toBe('hello')
  expect(await client.call('ping', undefined, nothing('src/tasks/call.ts', 'CallOptions'))).toBe('pong')
  const enqueue = nothing('src/tasks/enqueue.ts', 'EnqueueTerms', 'RetryOptions')
  const ticket = await client.enqueue('ping', undefined, { ...enqueue, delayMs: undefined })
  expect(await ticket.result(nothing('src/tasks/ticket.ts', 'ResultOptions'))).toBe('pong')
})

test('of sessions', async () => {
  await using space = await openSpace('memory:')
  const options = nothing('src/session/options.ts', 'SessionOptions')
  const store = new SpaceSessionStore({ ...options, space })
  expect(await store.length()).toBe(0)
  await store.notify(() => {}, nothing('src/session/ended.ts', 'NotifyEndOptions'))
  const cookie = nothing('src/session/cookie.ts', 'SessionCookieOptions')
  const sessions = fetchSessions({ ...options, space, secret: 'a secret of 16 characters', cookie })
  const answer = sessions.wrap(() => new Response('hello'))
  expect(await (await answer(new Request('http://127.0.0.1/'))).text()).toBe('hello')
})

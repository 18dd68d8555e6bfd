/** A program of somebody who has installed takespace: what a project does with each entry point. Checked by the compiler, never run. */
import session from 'express-session'
import {
  AnyEntry,
  createClient,
  createScheduler,
  defineEntry,
  entryInfo,
  isSpaceError,
  openSpace,
  SpaceError,
} from 'takespace'
import { createGateway, type GatewayOptions } from 'takespace/gateway'
import {
  FastifySessionStore,
  fetchSessions,
  KoaSessionStore,
  newSessionId,
  SpaceSessionStore,
  session as sessionOf,
} from 'takespace/session'
import { createWorker, currentRequest, GiveUp, giveUp, RetryIn, retryIn, type TaskContext } from 'takespace/workers'

declare module 'express-session' {
  interface SessionData {
    user: string
  }
}

const Task = defineEntry<{ id: string; size?: number }>('Task')
const tasks = {
  ping: () => 'pong',
  resize: async ({ width }: { width: number }, { signal }: TaskContext) => (signal.aborted ? retryIn(5) : { width }),
}

export async function main(options: Partial<GatewayOptions> = {}): Promise<void> {
  const space = await openSpace('memory:', { name: 'shop', durability: 'memory' })
  const gateway = createGateway({ space, port: 8080, ...options })
  const worker = createWorker({ space, app: (_req, res) => void res.end(currentRequest()?.id), tasks })
  const scheduler = createScheduler({ space, fromQueues: ['emails'] })
  for (const service of [gateway, worker, scheduler]) await service.start()
  const client = createClient<typeof tasks>({ space })
  const pong: string = await client.call('ping')
  const { width }: { width: number } = await client.call('resize', { width: 10 }, { timeoutMs: 5_000 })
  const response: Response = await client.fetch('/', { priority: 5, signal: AbortSignal.timeout(5) })
  const lease = await space.write(Task({ id: pong, size: width + response.status }), { leaseMs: 30_000 })
  const entry = await space.take(Task.template({ id: 'x' }), { waitMs: 5 })
  if (entry) await space.write(entry)
  for await (const each of space.contents(Task)) console.log(each.id, entryInfo(each).writtenAt)
  console.log(await space.read(AnyEntry), lease.expiresAt)
  await space.transact(async (tx) => void (await space.take(Task, { tx })))
  await space.notify([Task], ({ entry }) => console.log(entry.id))
  await space.close()
}

export async function sessions(secret: string): Promise<unknown[]> {
  const space = await openSpace('memory:')
  const store = new SpaceSessionStore({ space, userOf: ({ user }) => user })
  const sessions = fetchSessions({ space, secret })
  return [
    session({ store, secret, resave: false, saveUninitialized: false }),
    sessions.wrap((request) => new Response(sessionOf(request).get<string>('user') ?? newSessionId())),
    new FastifySessionStore({ space }),
    new KoaSessionStore({ space }),
  ]
}

export const messageOf = (error: unknown): string => (isSpaceError(error) ? error.code : String(error))
export const classes = [SpaceError, GiveUp, RetryIn, giveUp] as const
export type Failure = SpaceError | GiveUp | RetryIn

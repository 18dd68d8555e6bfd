/** The names that the examples of the documents use without declaring them, for the compiler. */
// biome-ignore-all lint/suspicious/noExplicitAny: what belongs to the reader's own program has any type
import type * as gateways from '../../../dist/gateway/index.js'
import type * as dashboards from '../../../dist/src/dashboard/index.js'
import type * as takespace from '../../../dist/src/index.js'
import type * as sessions from '../../../dist/src/session/index.js'
import type * as workers from '../../../dist/workers/index.js'

type Fields = Record<string, any>

declare global {
  const openSpace: typeof takespace.openSpace
  const defineEntry: typeof takespace.defineEntry
  const createClient: typeof takespace.createClient
  const entryInfo: typeof takespace.entryInfo
  const AnyEntry: typeof takespace.AnyEntry
  const absent: typeof takespace.absent
  const lte: typeof takespace.lte
  const oneOf: typeof takespace.oneOf
  const ordered: typeof takespace.ordered
  const createGateway: typeof gateways.createGateway
  const createWorker: typeof workers.createWorker
  const createDashboard: typeof dashboards.createDashboard

  const space: takespace.Space
  const client: takespace.Client
  const worker: workers.Worker
  const store: sessions.SpaceSessionStore
  const z: typeof import('zod').z
  const Item: import('zod').ZodString
  const Task: takespace.EntryKind<Fields>
  const Done: takespace.EntryKind<Fields>
  const Account: takespace.EntryKind<{ owner: string; balance: number }>
  const a: takespace.Entry
  const b: takespace.Entry
  const signal: AbortSignal
  const after: string | undefined
  const leaseMs: number
  const secret: string

  /** What belongs to the reader's own program. */
  const app: any
  const expressSession: any
  const fastifySession: any
  const koaSession: any
  function userOf(request: unknown): Promise<dashboards.DashboardUser | null>
  function tokenOfTheCloud(): Promise<string>
  function closeSockets(id: string): void
  function log(...values: unknown[]): void
  function reread(): void
  function makeReport(input: unknown): Promise<void>
}

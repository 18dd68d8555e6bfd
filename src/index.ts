/** The public names of takespace, one per line. */

export type { CallOptions } from './call.js'
export type { Client, ClientFetchOptions, ClientOptions } from './client.js'
export { createClient } from './client.js'
export type { ContentsOptions } from './contents.js'
export type { Backoff, EnqueueOptions, RetryOptions } from './enqueue.js'
export type {
  AnyEntryKind,
  AnyTemplate,
  Entry,
  EntryInfo,
  EntryKind,
  EntryOptions,
  FieldsOf,
  Matching,
  SchemaOptions,
} from './entry.js'
export { AnyEntry, defineEntry, entryInfo } from './entry.js'
export type { ErrorCode } from './errors.js'
export { isSpaceError, SpaceError } from './errors.js'
export type { EndlessFindOptions, FindOptions } from './find.js'
export type { KeepAlive, KeepAliveOptions } from './keep-alive.js'
export type { Lease, LeaseFailure } from './lease.js'
export type { Logger } from './log.js'
export type { OpenOptions } from './open.js'
export { openSpace } from './open.js'
export type { Listener, NotifyOptions, Registration, SpaceEvent } from './registration.js'
export type { ScheduleOptions, Times } from './schedule.js'
export type { Scheduler, SchedulerOptions } from './scheduler.js'
export { createScheduler } from './scheduler.js'
export type { SchemaIssue, StandardSchema } from './schema.js'
export type { Snapshot } from './snapshot.js'
export type { Space } from './space.js'
export type { TakeAllOptions } from './take-all.js'
export type { TaskArguments, TaskInput, TaskResult, Tasks } from './tasks.js'
export type { Template } from './template.js'
export type { ResultOptions, Ticket, TicketStatus } from './ticket.js'
export type { Transaction, TransactionOptions } from './transaction.js'
export type { WriteAllOptions, WriteOptions } from './write.js'

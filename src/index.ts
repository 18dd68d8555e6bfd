/** The public names of takespace, one per line. */

export type { Client, ClientOptions } from './client.js'
export { createClient } from './client.js'
export type { Credentials, TlsOptions } from './engine/access.js'
export type { Comparable, Condition } from './entry/condition.js'
export { absent, between, gt, gte, lt, lte, not, oneOf, present, startsWith } from './entry/conditions.js'
export type { FieldChanges } from './entry/field-changes.js'
export type { TemplateFields } from './entry/narrowed.js'
export type { Ordered } from './entry/ordered.js'
export { ordered } from './entry/ordered.js'
export type { SchemaIssue, StandardSchema } from './entry/schema.js'
export type { Snapshot } from './entry/snapshot.js'
export type { Template } from './entry/template.js'
export type {
  AnyEntryKind,
  AnyTemplate,
  Entry,
  EntryInfo,
  EntryKind,
  EntryOptions,
  EntryPart,
  FieldsOf,
  Matching,
  SchemaOptions,
  Updatable,
} from './entry.js'
export { AnyEntry, defineEntry, entryInfo } from './entry.js'
export type { ErrorCode } from './errors.js'
export { isSpaceError, SpaceError } from './errors.js'
export type { Logger } from './log.js'
export type { OpenOptions } from './open.js'
export { openSpace } from './open.js'
export type { ClientFetchOptions } from './request/fetch.js'
export type { Scheduler, SchedulerOptions } from './scheduler.js'
export { createScheduler } from './scheduler.js'
export type { ByIdOptions } from './space/by-id.js'
export type {
  Contents,
  ContentsEntry,
  ContentsOptions,
  ContentsPart,
  FieldName,
  Removable,
} from './space/contents.js'
export type { Explanation } from './space/explain.js'
export type { EndlessFindOptions, FindOptions } from './space/find.js'
export type { KeepAlive, KeepAliveOptions } from './space/keep-alive.js'
export type { Lease, LeaseFailure } from './space/lease.js'
export type {
  BatchListener,
  BatchOptions,
  Listener,
  NoBatchOptions,
  NotifyOptions,
  Registration,
  SpaceEvent,
} from './space/notify.js'
export type { TakeAllOptions } from './space/take-all.js'
export type { Transaction, TransactionOptions } from './space/transaction.js'
export type { EndlessUpdateOptions, UpdateByIdOptions, UpdateOptions } from './space/update.js'
export type { AskedTemplates, FieldsAsked, MissedEvents, Watch, WatchedEvent, WatchOptions } from './space/watch.js'
export type { WriteAllOptions, WriteOptions } from './space/write.js'
export type { Space } from './space.js'
export type { CallOptions } from './tasks/call.js'
export type { Backoff, EnqueueOptions, RetryOptions } from './tasks/enqueue.js'
export type { ScheduleOptions, Times } from './tasks/schedule.js'
export type { ResultOptions, Ticket, TicketStatus } from './tasks/ticket.js'
export type { TaskArguments, TaskInput, TaskResult, Tasks } from './tasks.js'

/** The public names of takespace, one per line. */

export type { Client, ClientFetchOptions, ClientOptions } from './client.js'
export { createClient } from './client.js'
export type { Entry, EntryInfo, EntryKind, EntryOptions, Matching } from './entry.js'
export { AnyEntry, defineEntry, entryInfo } from './entry.js'
export type { ErrorCode } from './errors.js'
export { isSpaceError, SpaceError } from './errors.js'
export type { Lease } from './lease.js'
export type { Logger } from './log.js'
export type { OpenOptions } from './open.js'
export { openSpace } from './open.js'
export type { FindOptions, Space, WriteAllOptions, WriteOptions } from './space.js'
export type { Template } from './template.js'

/** The public names, pinned: one that appears or goes is a decision, and gets a line in the CHANGELOG. */
import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import * as gateway from '../../gateway/index.js'
import * as takespace from '../../src/index.js'
import * as session from '../../src/session/index.js'
import * as workers from '../../workers/index.js'

const text = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')

/** The types that a file exports leave nothing at run time; they are read from its text. */
const typesOf = (file: string): string[] => {
  const listed = [...text(file).matchAll(/^export type \{([^}]+)\}/gm)].flatMap(([, names]) => names!.split(','))
  const declared = [...text(file).matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, name]) => name!)
  return [...listed, ...declared].flatMap((name) => name.trim() || []).sort()
}

test('takespace', () => {
  expect(Object.keys(takespace).sort()).toEqual([
    'AnyEntry',
    'SpaceError',
    'createClient',
    'createScheduler',
    'defineEntry',
    'entryInfo',
    'isSpaceError',
    'openSpace',
  ])
  expect(typesOf('src/index.ts')).toEqual([
    'AnyEntryKind',
    'AnyTemplate',
    'Backoff',
    'CallOptions',
    'Client',
    'ClientFetchOptions',
    'ClientOptions',
    'ContentsOptions',
    'EndlessFindOptions',
    'EnqueueOptions',
    'Entry',
    'EntryInfo',
    'EntryKind',
    'EntryOptions',
    'ErrorCode',
    'FieldsOf',
    'FindOptions',
    'KeepAlive',
    'KeepAliveOptions',
    'Lease',
    'LeaseFailure',
    'Listener',
    'Logger',
    'Matching',
    'NotifyOptions',
    'OpenOptions',
    'Registration',
    'ResultOptions',
    'RetryOptions',
    'ScheduleOptions',
    'Scheduler',
    'SchedulerOptions',
    'SchemaIssue',
    'SchemaOptions',
    'Snapshot',
    'Space',
    'SpaceEvent',
    'StandardSchema',
    'TakeAllOptions',
    'TaskArguments',
    'TaskInput',
    'TaskResult',
    'Tasks',
    'Template',
    'Ticket',
    'TicketStatus',
    'Times',
    'Transaction',
    'TransactionOptions',
    'WriteAllOptions',
    'WriteOptions',
  ])
})

test('takespace/gateway', () => {
  expect(Object.keys(gateway).sort()).toEqual(['createGateway'])
  expect(typesOf('gateway/index.ts')).toEqual([
    'AdminOptions',
    'Gateway',
    'GatewayLimits',
    'GatewayOptions',
    'IdempotencyOptions',
    'ServiceOptions',
  ])
})

test('takespace/workers', () => {
  expect(Object.keys(workers).sort()).toEqual([
    'GiveUp',
    'RetryIn',
    'createWorker',
    'currentRequest',
    'giveUp',
    'retryIn',
  ])
  expect(typesOf('workers/index.ts')).toEqual([
    'AdminOptions',
    'App',
    'CurrentRequest',
    'FetchApp',
    'KoaApp',
    'NodeApp',
    'Task',
    'TaskContext',
    'Worker',
    'WorkerOptions',
    'WorkerSettings',
  ])
})

test('takespace/session', () => {
  expect(Object.keys(session).sort()).toEqual([
    'FastifySessionStore',
    'KoaSessionStore',
    'SpaceSessionStore',
    'fetchSessions',
    'newSessionId',
    'session',
  ])
  expect(typesOf('src/session/index.ts')).toEqual([
    'EndListener',
    'ExpressSessionData',
    'FetchSession',
    'FetchSessionOptions',
    'FetchSessions',
    'NotifyEndOptions',
    'SessionCookieOptions',
    'SessionEnded',
    'SessionLockOptions',
    'SessionOptions',
    'SessionPolicy',
    'StoredSession',
  ])
})

test('the package has these entry points and one program', () => {
  const { exports, bin } = JSON.parse(text('package.json'))
  expect(Object.keys(exports)).toEqual(['.', './gateway', './workers', './session', './package.json'])
  expect(Object.keys(bin)).toEqual(['takespace'])
})

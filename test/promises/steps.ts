/** The steps of random programs, as data so that a shrunk program can be read, and what each does to a space. */
import fc from 'fast-check'
import type { Transition } from '../../src/engine.js'
import { ordered } from '../../src/entry/ordered.js'
import { AnyEntry, defineEntry, type Matching } from '../../src/entry.js'
import { type HeldRequest, type Sent, type Serving, sendRequest, serveRequests } from '../../src/request.js'
import type { FindOptions } from '../../src/space/find.js'
import type { Lease } from '../../src/space/lease.js'
import type { Registration } from '../../src/space/notify.js'
import type { Transaction } from '../../src/space/transaction.js'
import type { Space } from '../../src/space.js'
import { type Asked, askedOf, conditions } from './asked-conditions.js'
import { BIG, CHANGES, LONG, stepById } from './changing-steps.js'

export type Fields = { n?: number; a?: number; b?: string; big?: string }
const Base = defineEntry<Fields>('Base')
const Sub = Base.extend<{ c?: number }>('Sub')
const Far = defineEntry<Fields>('Far', { index: ['a'] })
const Near = defineEntry<Fields>('Near', { index: ['b', ordered('a'), ordered('b')] })
const KINDS = [Base, Sub, Far, Near]
/** Of this nothing is ever written. */
export const NOWHERE = Far.template({ b: 'nowhere' })

export const CLIENTS = 3

// Few of them, so that steps meet.
const fields = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  {
    weight: 3,
    arbitrary: fc.record({ a: fc.constantFrom(0, 1), b: fc.constantFrom('x', 'y', LONG) }, { requiredKeys: [] }),
  },
)
const kind = fc.constantFrom(0, 0, 0, 1, 2, 3, 3)
/** A kind by its number, -1 for AnyEntry. */
const template = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(kind, fields) },
  { weight: 2, arbitrary: fc.tuple(kind, conditions) },
  { weight: 1, arbitrary: fc.tuple(fc.constant(-1), fc.constant({})) },
)
const by = fc.nat(CLIENTS - 1)
/** Which of the client's open transactions, if it has any; 0: none. */
const tx = fc.nat(2)
const which = fc.nat(5)
const priority = fc.constantFrom(0, 0, 3, -1)
const on = fc.constantFrom('written' as const, 'visible' as const, 'available' as const, 'changed' as const)
const op = <T extends string, R extends object>(name: T, more: { [K in keyof R]: fc.Arbitrary<R[K]> }) =>
  fc.record({ op: fc.constant(name), by, ...more } as never) as fc.Arbitrary<{ op: T; by: number } & R>

type Tpl = [number, { readonly a?: number | Asked; readonly b?: string | Asked }]
const large = fc.constantFrom(false, false, false, false, true)
const write = op('write', { kind, fields, priority, tx, large } as never) as fc.Arbitrary<
  { op: 'write'; by: number } & { kind: number; fields: Fields; priority: number; tx: number; large: boolean }
>
const begin = op<'begin', object>('begin', {})
const commit = op<'commit', { which: number }>('commit', { which })
const abort = op<'abort', { which: number }>('abort', { which })
const take = op<'take', { template: Tpl; tx: number; ifExists: boolean }>('take', {
  template,
  tx,
  ifExists: fc.boolean(),
})
const read = op<'read', { template: Tpl; tx: number; ifExists: boolean }>('read', {
  template,
  tx,
  ifExists: fc.boolean(),
})
const takeAll = op<'takeAll', { templates: Tpl[]; tx: number; max: number }>('takeAll', {
  templates: fc.array(template, { minLength: 1, maxLength: 2 }),
  tx,
  max: fc.integer({ min: 1, max: 4 }),
})
const change = fc.nat(6)
const update = op<'update', { template: Tpl; tx: number; change: number }>('update', { template, tx, change })
const readAll = op<'readAll', { templates: Tpl[]; tx: number; max: number }>('readAll', {
  templates: fc.array(template, { minLength: 1, maxLength: 2 }),
  tx,
  max: fc.integer({ min: 1, max: 4 }),
})
const cancel = op<'cancel', { which: number }>('cancel', { which })
const wait = op<'wait', { take: boolean; template: Tpl; tx: number; ifExists: boolean }>('wait', {
  take: fc.boolean(),
  template,
  tx,
  ifExists: fc.boolean(),
})

/** What programs of concurrent groups are made of: only what can be accounted for, whatever the order. */
export const concurrent = fc.oneof(
  { weight: 5, arbitrary: write },
  { weight: 3, arbitrary: begin },
  { weight: 3, arbitrary: commit },
  { weight: 2, arbitrary: abort },
  { weight: 4, arbitrary: take },
  { weight: 3, arbitrary: read },
  { weight: 2, arbitrary: takeAll },
  { weight: 1, arbitrary: cancel },
  { weight: 3, arbitrary: update },
  { weight: 3, arbitrary: wait },
)

export const step = fc.oneof(
  { weight: 6, arbitrary: write },
  {
    weight: 2,
    arbitrary: op<'writeAll', { kind: number; fields: Fields; tx: number }>('writeAll', { kind, fields, tx }),
  },
  { weight: 3, arbitrary: begin },
  { weight: 2, arbitrary: commit },
  { weight: 2, arbitrary: abort },
  { weight: 1, arbitrary: op<'renewTx', { which: number }>('renewTx', { which }) },
  { weight: 3, arbitrary: take },
  { weight: 3, arbitrary: read },
  { weight: 1, arbitrary: takeAll },
  { weight: 1, arbitrary: cancel },
  { weight: 4, arbitrary: update },
  {
    weight: 1,
    arbitrary: op<'byId', { which: number; how: number; tx: number }>('byId', { which, how: fc.nat(3), tx }),
  },
  {
    weight: 1,
    arbitrary: op<'clear', { template: Tpl }>('clear', { template: fc.tuple(kind, fc.oneof(fields, conditions)) }),
  },
  {
    weight: 1,
    arbitrary: op<'renew', { which: number; leaseMs: number }>('renew', { which, leaseMs: fc.constantFrom(90_000, 0) }),
  },
  { weight: 1, arbitrary: op<'setAside', { which: number }>('setAside', { which }) },
  {
    weight: 1,
    arbitrary: op<'contents', { templates: Tpl[]; tx: number; max: number; resumed: number }>('contents', {
      templates: fc.array(template, { minLength: 1, maxLength: 2 }),
      tx,
      max: fc.constantFrom(2, 1_000),
      resumed: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: readAll },
  {
    weight: 1,
    arbitrary: op<'count', { template: Tpl }>('count', { template: fc.tuple(kind, fc.oneof(fields, conditions)) }),
  },
  {
    weight: 3,
    arbitrary: op<'notify', { templates: Tpl[]; tx: number; on: Transition }>('notify', {
      templates: fc.array(template, { minLength: 1, maxLength: 2 }),
      tx,
      on,
    }),
  },
  { weight: 1, arbitrary: op<'unnotify', { which: number }>('unnotify', { which }) },
  { weight: 4, arbitrary: wait },
  { weight: 1, arbitrary: op<'giveUp', { which: number }>('giveUp', { which }) },
  { weight: 1, arbitrary: op<'send', { repeatable: boolean }>('send', { repeatable: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: op<'serve', { concurrency: number }>('serve', { concurrency: fc.integer({ min: 1, max: 2 }) }),
  },
  { weight: 1, arbitrary: op<'stopServing', object>('stopServing', {}) },
  { weight: 1, arbitrary: op<'start', { which: number }>('start', { which }) },
  { weight: 1, arbitrary: op<'complete', { which: number }>('complete', { which }) },
  { weight: 1, arbitrary: op<'release', { which: number }>('release', { which }) },
  { weight: 1, arbitrary: op<'withdraw', { which: number }>('withdraw', { which }) },
)
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** Something that goes on: how it ended, once it has. */
export interface Going {
  readonly what: string
  readonly tx: Transaction | undefined
  outcome: unknown
  readonly controller: AbortController
  readonly done: Promise<unknown>
}

/** One side of the comparison, with what its program has to do with. */
export class Side {
  /** By client; in memory all of them are one. */
  readonly spaces: readonly Space[]
  readonly transactions: Transaction[][] = Array.from({ length: CLIENTS }, () => [])
  readonly leases: { lease: Lease; n: number }[] = []
  readonly registrations: Registration[] = []
  /** By registration: the entry, the number. */
  readonly events: unknown[][] = []
  readonly going: Going[] = []
  readonly sent: (Sent & { withdrawn?: boolean })[] = []
  readonly held: HeldRequest[] = []
  serving: Serving | undefined

  constructor(spaces: readonly Space[]) {
    this.spaces = spaces
  }

  /** Answered behind what is pushed to each, behind its acknowledgement, and behind what that brings about. */
  async settle(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      await Promise.all([...new Set(this.spaces)].map((space) => space.readIfExists(NOWHERE)))
      // A call that ends a long turn has its answer in the next one (src/runtime/long-turn.ts).
      await new Promise(setImmediate)
    }
  }

  txOf(client: number, number: number): Transaction | undefined {
    const open = this.transactions[client]!
    return number === 0 || open.length === 0 ? undefined : open[(number - 1) % open.length]
  }

  start(what: string, under: Transaction | undefined, run: (signal: AbortSignal) => Promise<unknown>): Going {
    const controller = new AbortController()
    const done = run(controller.signal).then(plain, code)
    const going: Going = { what, tx: under, outcome: 'waits', controller, done }
    void done.then((outcome) => {
      going.outcome = outcome
    })
    this.going.push(going)
    return going
  }
}

export const templateOf = ([k, asked]: Tpl): Matching<Fields> => {
  const ofFields = Object.entries(asked).map(([name, value]) => [name, askedOf(value)])
  return KINDS[k]?.template(Object.fromEntries(ofFields)) ?? AnyEntry
}
export const code = (error: { code?: string; name?: string; message?: string }): string =>
  `error ${error.code ?? error.name}`
/** Large bodies would make a failure unreadable. */
const plain = (found: unknown): unknown =>
  found && typeof found === 'object' && 'big' in found ? { ...found, big: String(found.big).length } : found

type Options = FindOptions & { waitMs: number }
const SERVICE = { service: 'web', timeoutMs: 60_000, priority: 0 }
const REQUEST = { method: 'GET', httpVersion: '1.1', headers: [], body: Buffer.alloc(0), peer: '', secure: false }
const RESPONSE = { status: 200, reason: 'OK', headers: [], body: Buffer.alloc(0) }
const from = <T>(list: readonly T[], i: number): T | undefined => list.at(-1 - (i % (list.length || 1)))

function find(space: Space, take: boolean, ifExists: boolean, template: Tpl, options: Options): Promise<unknown> {
  const asked = templateOf(template)
  if (take) return ifExists ? space.takeIfExists(asked, options) : space.take(asked, options)
  return ifExists ? space.readIfExists(asked, options) : space.read(asked, options)
}

/** Does a step; resolves with what its caller was told. `n` tells it from all others. */
export async function perform(step: Step, n: number, side: Side): Promise<unknown> {
  const space = side.spaces[step.by]!
  const open = side.transactions[step.by]!
  const under = 'tx' in step ? side.txOf(step.by, step.tx) : undefined
  switch (step.op) {
    case 'write': {
      const more = step.large ? { big: BIG } : {}
      const lease = await space.write(KINDS[step.kind]!({ ...step.fields, n, ...more }), {
        priority: step.priority,
        tx: under,
      })
      side.leases.push({ lease, n })
      return 'written'
    }
    case 'writeAll': {
      const entries = [KINDS[step.kind]!({ ...step.fields, n }), Base({ n: n + 0.5 })]
      const leases = await space.writeAll(entries, { tx: under })
      side.leases.push(...leases.map((lease, i) => ({ lease, n: n + i / 2 })))
      return 'written'
    }
    case 'take':
    case 'read':
      return plain(await find(space, step.op === 'take', step.ifExists, step.template, { waitMs: 0, tx: under }))
    case 'update':
      return plain(await space.update(templateOf(step.template), CHANGES[step.change]!, { waitMs: 0, tx: under }))
    case 'byId':
      return plain(await stepById(step.how, space, from(side.leases, step.which)?.lease.id, under))
    case 'clear':
      return space.clear(templateOf(step.template))
    case 'takeAll':
      return (await space.takeAll(step.templates.map(templateOf), { max: step.max, waitMs: 0, tx: under })).map(plain)
    case 'readAll':
      return (await space.readAll(step.templates.map(templateOf), { max: step.max, waitMs: 0, tx: under })).map(plain)
    case 'wait': {
      const what = `${step.op} ${n}`
      side.start(what, under, (signal) =>
        find(space, step.take, step.ifExists, step.template, { waitMs: 60_000, signal, tx: under }),
      )
      return what
    }
    case 'giveUp':
      from(side.going, step.which)?.controller.abort(new Error('given up'))
      return 'given up'
    case 'begin':
      if (open.length < 3) open.push(await space.begin({ leaseMs: 60_000 }))
      return open.length
    case 'commit':
    case 'abort': {
      const ending = from(open, step.which)
      if (!ending) return 'none'
      open.splice(open.indexOf(ending), 1)
      await ending[step.op]()
      return step.op
    }
    case 'renewTx':
      await from(open, step.which)?.renew(60_000)
      return 'renewed'
    case 'cancel': {
      const cancelled = from(side.leases, step.which)
      await cancelled?.lease.cancel()
      return cancelled && { cancelled: cancelled.n }
    }
    case 'renew':
      await from(side.leases, step.which)?.lease.renew(step.leaseMs)
      return 'renewed'
    case 'setAside': {
      const aside = from(side.leases, step.which)
      return aside && space.engine.deadLetter(aside.lease.id, 'for a reason')
    }
    case 'contents': {
      const all: unknown[] = []
      const asked = step.templates.map(templateOf)
      const first = space.contents(asked, { max: step.max, tx: under })
      for (let i = 0; i < step.resumed; i++) all.push(plain((await first.next()).value))
      const rest = step.resumed > 0 ? space.contents(asked, { after: first.cursor ?? undefined, tx: under }) : first
      if (first.cursor !== null) for await (const entry of rest) all.push(plain(entry))
      return all
    }
    case 'count':
      return space.count(templateOf(step.template))
    case 'notify': {
      const events: unknown[] = []
      side.events.push(events)
      const listener = ({ entry, sequence }: { entry: Fields; sequence: number }): void =>
        void events.push([entry.n, sequence])
      const onEnded = (): void => void events.push('ended')
      const onMissed = (): void => void events.push('missed')
      const options = { on: step.on, tx: under, onEnded, onMissed }
      side.registrations.push(await space.notify(step.templates.map(templateOf), listener, options))
      return 'registered'
    }
    case 'unnotify':
      await from(side.registrations, step.which)?.cancel()
      return 'cancelled'
    case 'send': {
      const sent = sendRequest(space, { ...REQUEST, target: `/${n}` }, { ...SERVICE, repeatable: step.repeatable })
      side.sent.push(sent)
      side.start(`request ${n}`, undefined, () => sent.response.then(({ status }) => status))
      return 'sent'
    }
    case 'serve':
      if (side.serving) return 'served'
      side.serving = await serveRequests(space, 'web', step.concurrency, (taken) => void side.held.push(taken))
      return 'serves'
    case 'stopServing':
      await side.serving?.stop()
      side.serving = undefined
      return 'stopped'
    case 'start':
    case 'complete': {
      const taken = from(side.held, step.which)
      const done = step.op === 'start' ? taken?.start() : taken?.complete(RESPONSE)
      // Of what was withdrawn its holder is told; whether it is still let do its work is the engine's to say.
      return side.sent.some(({ id, withdrawn }) => withdrawn && id === taken?.id) ? done?.then(() => 'withdrawn') : done
    }
    case 'release':
      await from(side.held, step.which)?.release()
      return 'released'
    case 'withdraw': {
      const sent = from(side.sent, step.which)
      if (sent) sent.withdrawn = true
      sent?.withdraw()
      return 'withdrawn'
    }
  }
}

/**
 * The protocol between TypeScript and the function library, as data: operations, replies, pushes, the layout of a
 * record; key-names.ts has the names of keys. TypeScript imports it; the build replaces its names in the Lua files (`REPLY.done`,
 * `RECORD.score.from`) by their values. A table `X` of single characters has a companion `X_BYTES` in Lua with the
 * code of each.
 */

/**
 * The operations of a batch, each with the names of its arguments in order; a Lua function of this name has the same
 * parameters. In a batch, consecutive operations of one name share it: name, count, then the arguments of each.
 * `header`: what many entries or completions share; '' repeats the header of the operation before in the same run.
 * `entries` is the last argument: the number of entries, then header, id and body of each; Lua is given where they
 * begin and end in the call instead.
 */
// biome-ignore format: a line each
export const OPERATIONS = {
  bound: { args: ['maxEntries', 'maxBytes'], does: 'bounds what the operations behind it may write (0: no bound); has no reply' },
  write: { args: ['header', 'id', 'body'], does: 'writes an entry' },
  writeAgain: { args: ['header', 'id', 'body'], does: 'writes an entry if the former write of it did not run, or it is gone without an outcome' },
  writeAll: { args: ['entries'], does: 'writes entries, all or none' },
  writeUnder: { args: ['transaction', 'entries'], does: 'writes entries under a transaction, all or none' },
  announceKind: { args: ['root', 'index'], does: 'makes a root kind known, and what is indexed there' },
  announceKey: { args: ['kind', 'field'], does: 'makes the field known that decides the partition of a kind' },
  renew: { args: ['id', 'leaseMs'], does: 'renews the lease of an entry; -1: for ever' },
  cancel: { args: ['id'], does: 'removes an entry; its holder, if there is one, is told' },
  cancelFree: { args: ['id'], does: 'removes an entry, unless it is held or one of the framework’s own' },
  change: { args: ['after', 'transaction', 'template', 'id', 'expected', 'head', 'stored', 'body'], does: 'replaces the contents of the best match, or of the entry of an id, if they are those expected; else reads it' },
  clear: { args: ['after', 'template'], does: 'removes a slice of the matches' },
  find: { args: ['mode', 'wait', 'transaction', 'template'], does: 'reads or takes the best match; else registers the wait, if one is named' },
  continueFind: { args: ['after', 'mode', 'wait', 'transaction', 'template'], does: 'continues a find that has met its bound on candidates' },
  findById: { args: ['mode', 'id', 'transaction'], does: 'reads or takes the entry of an id, as a find that does not wait' },
  takeMany: { args: ['after', 'most', 'transaction', 'template'], does: 'takes several matches without waiting' },
  acknowledge: { args: ['claim', 'transaction'], does: 'makes a take final, or its transaction’s' },
  endWait: { args: ['wait'], does: 'ends a wait' },
  list: { args: ['after', 'most', 'transaction', 'template'], does: 'reads a page of matches in order' },
  count: { args: ['after', 'template'], does: 'counts a slice of the matches' },
  plan: { args: ['template'], does: 'tells which index leads to the matches, and how many entries it holds' },
  backlog: { args: ['template'], does: 'counts the free matches and tells when the oldest was written' },
  offered: { args: ['kind', 'token'], does: 'tells by which tokens offers choose among the entries of a kind' },
  kinds: { args: [], does: 'counts the free entries of each root kind' },
  listTransactions: { args: ['most'], does: 'lists transactions, with their leases and what they hold' },
  offer: { args: ['wait', 'credit', 'template', 'alternatives'], does: 'registers a standing take with credit' },
  endOffer: { args: ['wait'], does: 'ends an offer' },
  start: { args: ['claim'], does: 'notes that a holder begins what must not be done twice' },
  beginStreaming: { args: ['claim', 'answers'], does: 'notes that a holder reads or answers bit by bit: no lease ends it, no other follows it' },
  releaseSlot: { args: ['wait'], does: 'gives an offer one credit more' },
  withdrawSlot: { args: ['wait'], does: 'takes one credit from an offer, if it has one' },
  complete: { args: ['header', 'claim', 'outcome'], does: 'ends a claim with an outcome' },
  completeWith: { args: ['header', 'claim', 'outcome', 'transaction', 'entries'], does: 'ends a claim, commits its transaction and writes entries: all or nothing' },
  giveBack: { args: ['claim', 'wait'], does: 'gives back an entry that was not processed' },
  checkRequesters: { args: ['claims'], does: 'tells the holder which of these claims no process awaits any longer' },
  putOutcomeBody: { args: ['claim', 'body'], does: 'stores the large body of an outcome on a full server' },
  outcomesArrived: { args: ['ids'], does: 'forgets outcomes that have arrived' },
  deadLetter: { args: ['id', 'reason', 'claim'], does: 'moves an entry to the dead letters' },
  begin: { args: ['number', 'leaseMs'], does: 'begins a transaction' },
  renewTransaction: { args: ['transaction', 'leaseMs'], does: 'renews the lease of a transaction' },
  commit: { args: ['transaction', 'entries'], does: 'commits a transaction and writes entries with it' },
  abort: { args: ['transaction'], does: 'aborts a transaction' },
  awaitEnd: { args: ['transaction'], does: 'tells whether a transaction whose end is decided has effects left' },
  prepare: { args: ['transaction', 'decider'], does: 'prepares a transaction for the decision of another partition' },
  decide: { args: ['transaction', 'others'], does: 'commits a transaction, and records that those of other partitions have to be committed' },
  settlePrepared: { args: ['transaction', 'decider', 'committed'], does: 'ends a prepared transaction as was decided' },
  decisionOn: { args: ['transaction', 'other'], does: 'tells what was decided on a prepared transaction of another partition' },
  forgetDecision: { args: ['transaction', 'other'], does: 'forgets a decision once it was carried out in another partition' },
  notify: { args: ['registration', 'sequence', 'leaseMs', 'transaction', 'templates'], does: 'registers for events' },
  renewRegistration: { args: ['registration', 'leaseMs'], does: 'renews the lease of a registration' },
  endRegistration: { args: ['registration'], does: 'ends a registration' },
  lastEvent: { args: ['registration'], does: 'tells the number of the last event' },
  sync: { args: ['known'], does: 'compares, after a reconnect, what the process knows to hold with what the space knows' },
  declareDead: { args: ['presence'], does: 'ends a presence whose process is gone' },
  suspend: { args: ['presence', 'running'], does: 'hands nothing more to a process that does not answer; what it is not running goes back' },
  repair: { args: ['cursor'], does: 'compares a page of entries with their indexes, and restores what is missing' },
  renewWaits: { args: [], does: 'has every process register its waits anew' },
  openTicket: { args: ['maxBytes', 'entries'], does: 'opens a ticket, the first entry, and writes its request, the second' },
  settleTicket: { args: ['ticket', 'outcome'], does: 'settles a ticket; without an outcome it is cancelled, and its request withdrawn' },
  setProgress: { args: ['ticket', 'progress'], does: 'notes the progress of a ticket' },
  reportProgress: { args: ['claim', 'progress'], does: 'the same by the holder of its request' },
  leaveTicket: { args: ['ticket'], does: 'ends this process’s wait for a ticket' },
  lookAtTicket: { args: ['ticket'], does: 'tells the state of a ticket' },
  settledTickets: { args: ['cursor'], does: 'looks through some entries for tickets that have an outcome' },
  loadSession: { args: ['id', 'wait', 'lockMs'], does: 'reads a session entry, or locks it and waits for the lock' },
  saveSession: { args: ['id', 'leaseMs', 'lock', 'maxBytes', 'base', 'headLength', 'changedLength', 'removed', 'expected', 'owner', 'contents'], does: 'saves a session entry' },
  touchSession: { args: ['id', 'leaseMs', 'lock'], does: 'renews the lease of a session entry' },
  destroySession: { args: ['id'], does: 'removes a session entry' },
  setSessionAside: { args: ['id', 'digest'], does: 'removes a damaged session entry, unless it has changed since' },
  unlockSession: { args: ['lock'], does: 'gives a lock back' },
  countSessions: { args: ['owner'], does: 'counts session entries, of one owner or all' },
  listSessions: { args: ['owner', 'after'], does: 'lists a page of their ids' },
  learnPhase: { args: ['phase', 'target'], does: 'notes which phase of a move the process follows, to which partitions, and tells the phase of the space' },
  setOrigin: { args: ['phase'], does: 'sets the phase of a move to here; one begins in an empty space only' },
  setPhase: { args: ['phase', 'target'], does: 'sets the phase of a move to these partitions, unless a process does not follow the one before' },
  listPhases: { args: ['target'], does: 'tells which phase each presence follows' },
  raiseOrder: { args: ['atLeast', 'step'], does: 'raises the order of writing, which goes on in steps' },
  indexedKinds: { args: [], does: 'tells what is indexed of each root kind' },
  keyedKinds: { args: [], does: 'tells which field decides the partition of each kind that has one' },
  countMovable: { args: [], does: 'counts entries, session entries, batches that are arriving, and unfinished transactions' },
  movable: { args: ['cursor'], does: 'reads a page of entries that may be moved' },
  movableEntry: { args: ['id'], does: 'reads an entry that may be moved' },
  movableSessions: { args: ['cursor'], does: 'reads a page of session entries that may be moved' },
  arrive: { args: ['batch', 'entries'], does: 'stores a batch that is moving here, where nothing finds it' },
  arriving: { args: [], does: 'names the batches that are moving here' },
  depart: { args: ['batch', 'entries'], does: 'removes what is unchanged and free of a batch, and records its ids' },
  land: { args: ['batch', 'ids'], does: 'makes those of a batch appear that have left their old partition' },
  forgetDeparture: { args: ['batch'], does: 'forgets which entries have left in a batch' },
} as const

/** Replies to an operation, a character each. Those of a batch are in one string, and their values follow in order. */
export const REPLY = {
  done: 'k',
  none: 'n',
  waiting: 'w',
  waitingUntil: 'W',
  found: 'f',
  more: 'm',
  number: '#',
  failed: 'e',
  page: 'p',
  taken: 'P',
  state: 's',
  session: 'v',
  merged: 'g',
  transactionEnded: 'T',
  askAgain: 'a',
  joined: 'j',
  busy: 'b',
  differs: 'd',
  full: 'F',
  shareFull: 'S',
  text: 't',
} as const

/** The values that follow a reply, in order; replies that are not listed have none. */
export const REPLY_VALUES = {
  waitingUntil: ['leaseEnd'],
  found: ['id', 'claim', 'record'],
  more: ['after'],
  number: ['number'],
  failed: ['code'],
  page: ['next', 'items'],
  taken: ['next', 'names', 'items'],
  state: ['state', 'progress'],
  session: ['lock', 'contents'],
  text: ['text'],
} as const

/** How a batch is sent. */
export const MODE = { run: 'n', runAndRenew: 'R', askOnly: 'p', join: 'h' } as const

/** Why a batch did not run: the first element of its reply. */
export const REFUSAL = {
  dataNewer: '!DATA_NEWER',
  dataOlder: '!DATA_OLDER',
  presence: '!PRESENCE',
  stale: '!STALE',
  unrecorded: '!UNRECORDED',
} as const

/** Items of a push: a character with a first word, a second word, and bytes. */
export const PUSH = {
  delivery: 'd',
  shown: 'v',
  outcome: 'o',
  claimLost: 'l',
  withdrawn: 'x',
  requesterGone: 'G',
  presenceLost: 'B',
  damaged: 'D',
  outOfStep: 'S',
  event: 'e',
  missed: 'z',
  lookAgain: 'A',
  ended: 'T',
  prepared: 'P',
  decided: 'C',
  item: 'i',
} as const

/** Outcomes of a request: the first character says which. */
export const OUTCOME = {
  completed: 'c',
  completedByReference: 'C',
  lost: 'l',
  exhausted: 'x',
  responseStarted: 'h',
} as const

/** The mode of a find, and of a wait; the last two wait only for entries that transactions hold. */
export const FIND = {
  take: 'take',
  read: 'read',
  takeIfExists: 'take?',
  readIfExists: 'read?',
} as const

/** The first character of a wait's id. */
export const WAIT = {
  take: 't',
  read: 'r',
  takeUnder: 'T',
  readUnder: 'R',
  offer: 'o',
  lock: 'h',
  registration: 'n',
  registrationUnder: 'x',
} as const

/** The second character of a registration's id: the change that it is notified of. */
export const TRANSITION = { written: 'w', visible: 'v', available: 'a', changed: 'c', ended: 'e' } as const

/** The changes at once: of an entry that is written, of one that is free again, and of one whose change is committed. */
export const TRANSITIONS = { ofWrite: 'wva', ofReturn: 'va', ofChange: 'cva' } as const

/** Effects of a transaction on an entry. */
export const MARK = { read: 'r', taken: '-', writtenAndTaken: '*', registered: 'n', written: 'w' } as const

/** Single characters with a fixed meaning. */
export const SIGN = {
  /** Before a kind in a signature. `reference`: before the name of a body that has a key of its own. */
  kind: '@',
  reference: '@',
  /** Behind a claim whose holder has started. */
  started: '!',
  /** Before the id of a session entry, and so before a claim that is a lock on one. */
  session: '$',
  /** Ends a shape whose waits are verified one by one. */
  inexact: '*',
  /** Behind the fields in a shape of templates with conditions. */
  conditional: ';',
  /** The token of an indexed field that an entry lacks; what is behind its name in an index that has such tokens. */
  absent: '~',
  absence: '@',
  /** Before the name of an ordered field in a signature; behind it in an index, and in the key of its order. */
  order: ',',
  /** Before the hash of several fields that are indexed together; ends the name of a count of templates. */
  hash: '#',
  /** Ends the id of the former contents of an entry, while a transaction has changed it. */
  original: '^',
  /** Before a token of a structure. */
  structure: 'o',
} as const

/** A record: an entry as it is stored in the hash of entries. Positions are in characters, counted from 1. */
export const RECORD = {
  /** When the lease ends, ms on the lease clock, 13 digits; NEVER: for ever. */
  expiresAt: { from: 1, to: 13 },
  /** When the entry was written, 13 digits. */
  writtenAt: { from: 14, to: 26 },
  /** How often a holder has died while holding the entry, one digit. */
  deaths: { from: 27, to: 27 },
  /** The score: priority and order of writing, 16 digits. */
  score: { from: 28, to: 43 },
  type: { from: 44, to: 44 },
  place: { from: 45, to: 45 },
  /** A sum over all before it, and over requester and maxDeliveries (check.lua), 3 digits. */
  headSum: { from: 46, to: 48 },
  /**
   * An entry that is not a request: `|@Kind|@Parent|field=token|;|field=token|` and a newline, then the checksum of
   * signature, newline and body (CHECKSUM), then the body.
   */
  signature: { from: 49 },
  /** A request: the presence that waits for its outcome. */
  requester: { from: 49, to: 70 },
  /** A request: after this many deliveries without completion it is moved to the dead letters, one digit. */
  maxDeliveries: { from: 71, to: 71 },
  /** A request: its signature. */
  requestSignature: { from: 72 },
} as const

/** Hexadecimal digits: a process makes a CRC-32, the library the first of a SHA-1. A large body ends with its CRC-32. */
export const CHECKSUM = { length: 8 } as const

/** Request types. `streamed`: only its requester may write the request again; `once`: no process may. */
export const RECORD_TYPE = { entry: 'e', repeatable: 'q', once: 'Q', streamed: 's' } as const

/** Where the body is: behind the signature, or under a key of its own. */
export const PLACE = { inline: '.', reference: '@' } as const

/** The first line of a session entry, in characters counted from 1. */
export const SESSION_RECORD = {
  expiresAt: { from: 1, to: 13 },
  locked: { from: 14, to: 14 },
  /** A sum over the two before it, 3 digits (session-entry.lua). */
  leaseSum: { from: 15, to: 17 },
  /** Bytes of all names and texts, 8 digits. */
  size: { from: 18, to: 25 },
  version: { from: 27, to: 42 },
  /** A sum over size, version and owner, 3 digits. */
  sum: { from: 44, to: 46 },
  owner: { from: 48 },
} as const

/** The phases of a move: three of the old partitions (decision 0029), and whether the new ones have everything. */
export const PHASE = { joined: 1, moving: 2, moved: 3, arriving: 1, arrived: 2 } as const

/** The state of a ticket. */
export const TICKET_STATE = { settled: 's', waiting: 'w', running: 'r', absent: 'a' } as const

/** Kinds of the framework that both sides name. */
export const KIND = {
  own: 'takespace.',
  request: 'takespace.Request',
  task: 'takespace.Task',
  deadLetter: 'takespace.DeadLetter',
  control: 'takespace.Control',
  ticket: 'takespace.Ticket',
  pending: 'takespace.Pending',
  result: 'takespace.Result',
  completed: 'takespace.Completed',
  cancelled: 'takespace.Cancelled',
  lost: 'takespace.Lost',
  exhausted: 'takespace.Exhausted',
  session: 'takespace.Session',
  sessionLock: 'takespace.SessionLock',
  any: '*',
} as const

/** Numbers and texts that both sides need. */
export const SHARED = {
  /** The layout of the data that the library writes. */
  layout: 7,
  /** The oldest layout that it works in, as processes of that layout do (docs/decisions/0028). */
  oldestLayout: 4,
  /** Bytes of a stored outcome beside its record: BESIDE_OUTCOME of the engine's contract. */
  besideOutcome: 120,
  /** The token by which templates name a ticket, without the id of the ticket. */
  ticketToken: 'ticket=s:',
  /** The modulus of sums over heads; a prime, so the change of a single digit or letter always changes the sum. */
  prime: 997,
  /** A larger body bypasses Lua, under a key of its own: each copy in Lua costs about 1 ns per byte. */
  largestInline: 2048,
  /** A score: the priority above the order of writing (2^44), moved up by 2^52 so that it is never negative. */
  priorityStep: 17592186044416,
  scoreZero: 4503599627370496,
  /** The end of a lease that never ends; as text, 13 nines. */
  never: '9999999999999',
  neverMs: 9999999999999,
  /** The requester of requests whose outcomes go to their tickets. */
  kept: '----------------------',
  presenceLength: 22,
  /** A large body is dropped after this time if its entry or completion has not come. */
  bodyUnwrittenMs: 7200000,
  /** How long a large body outlives the lease of its entry: a safety net, since the body is dropped with the entry. */
  bodyGraceMs: 86400000,
  /** A presence is renewed every third of this; a process that is frozen for longer loses what it holds. */
  presenceLeaseMs: 15000,
  /**
   * A connection that is lost for longer than this counts as a death. Longer than a reconnect takes: after a wrong
   * guess the client of a POST gets 502.
   */
  graceMs: 250,
  /** The high part of a wait's score (2^36) is its free credit, the low part the order of waiting. */
  creditStep: 68719476736,
  /** The library remembers the replies of this many batches per presence. */
  remembered: 64,
} as const

// A program that lives on a space: it writes, takes, reads, renews, cancels, listens, and moves entries under transactions, and keeps an
// account of them. SIGHUP has it finish what is under way, take what is left and print the account; the next one has it go on.
import { setTimeout as pause } from 'node:timers/promises'
import { defineEntry, isSpaceError, openSpace } from '../../../dist/src/index.js'
import { randomOf } from '../../history/children/random.js'

const [url, seed] = process.argv.slice(2)
const random = randomOf(Number(seed))
const space = await openSpace(url)
const Job = defineEntry('Job')
const Done = defineEntry('Done')
const Kept = defineEntry('Kept')

/** What should be there: `yes`, or `maybe` if nobody knows. What is taken leaves it, so it stays small. */
const there = new Map()
let account
let going = true
let made = 0

const fresh = () => ({
  operations: 0,
  written: 0,
  taken: 0,
  moved: 0,
  events: 0,
  missed: 0,
  forgotten: 0,
  ended: 0,
  unknownTakes: 0,
  strange: [],
  errors: {},
})

const MOST_THERE = 100
/** Why a transaction is aborted that could go on. */
const UNWILLING = Symbol('unwilling')
/** What a fault may be answered with. */
const EXPECTED = ['SPACE_UNREACHABLE', 'OUTCOME_UNKNOWN', 'TRANSACTION_ENDED', 'LEASE_UNKNOWN']

/** Answers what was done, or undefined; `onUnknown` is told if nobody knows whether it was, `onNothing` if it surely was not. */
async function attempt(operate, { onUnknown = () => {}, onNothing = () => {} } = {}) {
  account.operations++
  try {
    return await operate()
  } catch (error) {
    if (!isSpaceError(error)) throw error
    account.errors[error.code] = (account.errors[error.code] ?? 0) + 1
    if (!EXPECTED.includes(error.code)) account.strange.push(String(error))
    if (error.code === 'OUTCOME_UNKNOWN') onUnknown()
    else onNothing()
    // Not as fast as it can while the space is away.
    await pause(50)
  }
}

function took(value) {
  if (!there.delete(value)) account.strange.push(`${value} was taken, and was not there`)
  account.taken++
}

const name = () => `v${++made}`
/** Some travel beside the functions. */
const padding = () => (random() < 0.1 ? 'x'.repeat(3_000) : '')

async function writer() {
  // What is there must not grow because its takers are slower than it is.
  if (there.size > MOST_THERE) return
  const value = name()
  there.set(value, 'maybe')
  const entry = Job({ value, lane: made % 2, padding: padding() })
  const written = await attempt(() => space.write(entry, { leaseMs: 600_000 }), {
    onNothing: () => there.delete(value),
  })
  if (!written) return
  account.written++
  if (there.has(value)) there.set(value, 'yes')
}

async function taker(template) {
  const onUnknown = () => account.unknownTakes++
  const entry = await attempt(() => space.take(template, { waitMs: 200 }), { onUnknown })
  if (entry) took(entry.value)
}

/** Takes one and writes another under a transaction; one in five does not want to. */
async function mover() {
  const value = name()
  const willing = random() < 0.8
  let from
  const moved = await attempt(
    () =>
      space
        .transact(async (tx) => {
          const job = await space.take(Job.template({ lane: 1 }), { tx, waitMs: 200 })
          if (!job) return false
          if (!willing) throw UNWILLING
          from = job.value
          there.set(value, 'maybe')
          await space.write(Done({ value, padding: padding() }), { tx, leaseMs: 600_000 })
          return true
        })
        .catch((error) => error !== UNWILLING && Promise.reject(error)),
    { onUnknown: () => from && there.set(from, 'maybe'), onNothing: () => there.delete(value) },
  )
  if (!moved) return
  account.moved++
  if (!there.delete(from)) account.strange.push(`${from} was moved, and was not there`)
  if (there.has(value)) there.set(value, 'yes')
}

async function keeper() {
  const lease = await attempt(() => space.write(Kept({ value: name() }), { leaseMs: 5_000 }))
  if (!lease) return
  await attempt(() => space.read(Kept, { waitMs: 0 }))
  await attempt(() => lease.renew(5_000))
  await attempt(() => lease.cancel())
}

async function listen() {
  const registration = await attempt(() =>
    space.notify([Job.template({ lane: 0 })], () => account.events++, {
      leaseMs: Number.POSITIVE_INFINITY,
      // Infinity: the space had forgotten it, so nobody knows how many.
      onMissed: (count) => {
        if (Number.isFinite(count)) account.missed += count
        else account.forgotten++
      },
      onEnded: () => {
        account.ended++
        void listen()
      },
    }),
  )
  if (!registration) await listen()
}

async function loop(round, pauseMs) {
  while (going) {
    await round()
    await pause(pauseMs * 2 * random())
  }
}

let loops = []
function start() {
  going = true
  account = fresh()
  loops = [
    loop(writer, 25),
    loop(writer, 25),
    loop(() => taker(Job.template({ lane: 0 })), 20),
    loop(() => taker(Done), 20),
    loop(mover, 20),
    loop(keeper, 200),
  ]
}

/** Takes all that is left, also what comes back from transactions that somebody has yet to end. */
async function rest() {
  const until = Date.now() + 20_000
  const owed = () => [...there.values()].filter((is) => is === 'yes').length
  for (let empty = 0; Date.now() < until && (empty < 5 || owed() > 0); empty++) {
    for (const kind of [Job, Done]) {
      for (;;) {
        const entry = await attempt(() => space.take(kind, { waitMs: 20 }))
        if (!entry) break
        took(entry.value)
      }
    }
  }
  return owed()
}

process.on('SIGHUP', async () => {
  if (!going) {
    start()
    console.log('goes on')
    return
  }
  going = false
  await Promise.all(loops)
  const lost = await rest()
  there.clear()
  console.log(`account ${JSON.stringify({ ...account, lost })}`)
})
process.on('SIGTERM', () => space.close())
start()
await listen()
console.log('ready')

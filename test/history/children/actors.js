// What a process does with entries. Each actor is a loop of operations that ends soon after `stop` fires. Whether a group is shared decides
// how much can be said afterwards: in a group of one's own nobody else can be why an entry is not found.
import { setTimeout as pause } from 'node:timers/promises'

const LONG_MS = 600_000

const found = (entry) => (entry ? { out: 'ok', value: entry.value } : { out: 'none' })

/** So long, or until it is told to stop. */
const idle = (ms, { stop }) => pause(ms, undefined, { signal: stop }).catch(() => {})

/** Loops until it is told to stop; what one round does comes from the seed. */
function loop({ stop, random }, round, pauseMs) {
  const run = async () => {
    while (!stop.aborted) {
      await round()
      await pause(Math.floor(random() * pauseMs))
    }
  }
  return { ended: run() }
}

/** A number that stands for a group: its last digits; those of one process come behind the shared ones. */
const placeOf = (group) => Number(/\d+$/.exec(group)[0]) + (group.startsWith('own') ? 100 : 0)

const itemOf = ({ Item }, group, value) => Item({ group, value, place: placeOf(group) })

/** Returns a template that all of a group match, and nothing else: by its value, by tokens, in the order of a field, or as a prefix. */
function templateOf({ Item, conditions, random }, group) {
  const { between, gt, not, oneOf, startsWith } = conditions
  const place = placeOf(group)
  const ways = [
    { group },
    { group: oneOf(group, 'nobody') },
    { place: between(place, place) },
    { group: startsWith(group), place: not(gt(place)) },
  ]
  return Item.template(ways[Math.floor(random() * ways.length)])
}

const write = (actors, group, value, leaseMs) =>
  actors.recorder.run(
    'write',
    { group, values: [value], leaseMs },
    () => actors.space.write(itemOf(actors, group, value), { leaseMs }),
    undefined,
    'failed',
  )

const take = (actors, group, waitMs) =>
  actors.recorder.run('take', { group, waitMs }, () => actors.space.take(templateOf(actors, group), { waitMs }), found)

const read = (actors, group, waitMs) =>
  actors.recorder.run('read', { group, waitMs }, () => actors.space.read(templateOf(actors, group), { waitMs }), found)

const cancel = ({ recorder }, lease, value) =>
  recorder.run('cancel', { value }, () => lease.cancel(), undefined, 'failed')

const renew = ({ recorder }, lease, value, leaseMs) =>
  recorder.run('renew', { value, leaseMs }, () => lease.renew(leaseMs))

const groupOf = ({ settings, random }, of = 1) => `g${Math.floor((random() * settings.groups) / of)}`

/** Writes, takes and reads in the groups that all share. */
export const trader = (actors) =>
  loop(
    actors,
    async () => {
      const { random } = actors
      const group = groupOf(actors)
      const chance = random()
      if (chance < 0.35) await write(actors, group, actors.value(), LONG_MS)
      else if (chance < 0.42) await writeAll(actors, group)
      else if (chance < 0.72) await take(actors, group, 0)
      // Who waits may hold something for a moment after its wait; so in half of the groups nobody does.
      else if (chance < 0.85) await take(actors, groupOf(actors, 2), 1 + Math.floor(random() * 100))
      else await read(actors, group, random() < 0.7 ? 0 : 50)
    },
    8,
  )

async function writeAll(actors, group) {
  const { space, recorder } = actors
  const values = [actors.value(), actors.value(), actors.value()]
  const entries = values.map((value) => itemOf(actors, group, value))
  const options = { leaseMs: LONG_MS }
  const record = { group, values, ...options }
  await recorder.run('write', record, () => space.writeAll(entries, options), undefined, 'failed')
}

/** Cancels what it wrote, while others want to take it. */
export const canceller = (actors) =>
  loop(
    actors,
    async () => {
      const value = actors.value()
      const lease = await write(actors, groupOf(actors), value, LONG_MS)
      if (!lease) return
      await pause(Math.floor(actors.random() * 3))
      await cancel(actors, lease, value)
    },
    12,
  )

/** Has a group of its own: what it wrote it finds, for as long as it keeps the lease, and not after its end. */
export const owner = (actors) => {
  const group = `own-${actors.settings.name}`
  return loop(
    actors,
    async () => {
      const value = actors.value()
      const short = 300 + Math.floor(actors.random() * 300)
      const lease = await write(actors, group, value, short)
      if (!lease) return
      await read(actors, group, 0)
      // Half of them end by themselves.
      const kept = actors.random() < 0.6 && (await renew(actors, lease, value, 5_000))
      await idle(short * 1.2, actors)
      if (actors.stop.aborted) return
      await read(actors, group, 0)
      if (!kept && actors.random() < 0.5) return
      await idle(actors.random() * 1_500, actors)
      if (actors.random() < 0.3) await cancel(actors, lease, value)
      while (!actors.stop.aborted && (await take(actors, group, 0)));
    },
    5,
  )
}

/** Adds to a counter that all share; the changed entry says how many have done so. */
export const counter = (actors) => {
  const { space, recorder, Tally } = actors
  const add = () => space.update(Tally, { increment: { count: 1 } }, { waitMs: 0 })
  const counted = (tally) => (tally ? { out: 'ok', count: tally.count } : { out: 'none' })
  return loop(actors, () => recorder.run('update', {}, add, counted, 'failed'), 12)
}

/** Takes one and writes two, all under a transaction that commits or aborts. */
export const transactor = (actors) =>
  loop(
    actors,
    async () => {
      const { space, recorder, random } = actors
      const from = groupOf(actors)
      const to = groupOf(actors)
      const tx = await space.begin({ leaseMs: 3_000 })
      const under = { tx: tx.id }
      const ending = random() < 0.75 ? 'commit' : 'abort'
      await recorder.run(
        'take',
        { ...under, group: from, waitMs: 0 },
        () => space.take(templateOf(actors, from), { tx, waitMs: 0 }),
        found,
      )
      for (const value of [actors.value(), actors.value()]) {
        const record = { ...under, group: to, values: [value], leaseMs: LONG_MS }
        await recorder.run(
          'write',
          record,
          () => space.write(itemOf(actors, to, value), { tx, leaseMs: LONG_MS }),
          undefined,
          'failed',
        )
      }
      if (random() < 0.3) await pause(random() * 30)
      await recorder.run(ending, under, () => tx[ending](), undefined, 'failed')
    },
    15,
  )

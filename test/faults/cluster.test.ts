/** Promises 4 and 8 on a Cluster: a primary is killed, slots move, a node comes and goes, and clients of the other slots notice nothing. */
import { afterEach, expect } from '@jest/globals'
import { type Cluster, startCluster } from '../support/cluster.js'
import type { ClusterNode } from '../support/cluster-node.js'
import { failOnLeaks } from '../support/leaks.js'
import { nothingIsLeftOn } from './drained.js'
import { form, isLong, LONG_SECONDS } from './form.js'
import { testInLongForm } from './long-form.js'
import { expectNothingLost, type Outcome, startWriters, tellOutcome, type Writers } from './writers.js'

const PER_SECOND = 250
const MOVED_SLOTS = 1_000
/** Where no node fails: on a busy machine one that lives is silent for seconds, and a replica would take its place. */
const PATIENT_MS = 15_000
/** Of what they did before. */
const LEAST_SHARE_OF_OTHERS = 0.9

let cluster: Cluster
let writers: Writers | undefined
afterEach(async () => {
  await writers?.destroy()
  await cluster.stop()
})

async function start(nodeTimeoutMs?: number): Promise<Writers> {
  cluster = await startCluster({ appendonly: true, ...(nodeTimeoutMs && { nodeTimeoutMs }) })
  const nothingIsLeft = () => nothingIsLeftOn(cluster)
  // Those that wait for a primary that is away are not to keep the others from being run.
  writers = await startWriters(
    // Nobody asks a Cluster for what is on one server.
    { url: cluster.url, cli: () => Promise.reject(new Error('a Cluster is no one server')) },
    { durability: 'replicated:1', perSecond: PER_SECOND, concurrency: 500, nothingIsLeft },
  )
  await writers.answered(PER_SECOND)
  return writers
}

/** What a Cluster tells of slots is for us, not for clients or logs. */
function expectNoneTold({ system }: Writers, { answers }: Outcome): void {
  const told = /CROSSSLOT|\bMOVED \d|\bASK \d|TRYAGAIN|CLUSTERDOWN/
  expect(answers.filter(({ text }) => told.test(text))).toEqual([])
  for (const { output } of [system.supervisor, ...system.gateways]) expect(output()).not.toMatch(/CROSSSLOT/)
}

/** Bytes that clients have sent to these. */
async function heard(nodes: readonly ClusterNode[]): Promise<number> {
  const told = await Promise.all(nodes.map((node) => node.cli('INFO', 'stats')))
  return told.reduce((sum, stats) => sum + Number(/total_net_input_bytes:(\d+)/.exec(stats)?.[1]), 0)
}

testInLongForm(
  'a primary is killed under load: nothing that was acknowledged is lost, and the others go on',
  async () => {
    const running = await start()
    const kills = form(1, Math.max(1, Math.round(LONG_SECONDS / 10)))
    const shares: number[] = []
    for (let i = 0; i < kills; i++) {
      const primaries = await cluster.primaries()
      // Of the first one a part of the space, whatever its number of partitions.
      const old = i === 0 ? await cluster.ownerOf('{ts:default}:m') : (primaries[i % primaries.length] as ClusterNode)
      const used = await Promise.all(primaries.map((node) => cluster.usedSlots(node)))
      const others = primaries.filter((node, at) => node !== old && used[at]!.length > 0)
      const rate = async (during: () => Promise<unknown>): Promise<number> => {
        const [bytes, since] = [await heard(others), performance.now()]
        await during()
        return ((await heard(others)) - bytes) / (performance.now() - since)
      }
      const before = await rate(() => running.answered(PER_SECOND))
      await old.kill()
      const away = await rate(() => cluster.promoted(old))
      // With one partition the others have nothing to do.
      if (others.length > 0) shares.push(away / before)
      // Until a replica follows the new primary, `replicated:1` is not met there.
      await old.restart()
      await running.answered(PER_SECOND)
      await cluster.settled()
    }
    const outcome = await running.finish()
    const least = Math.min(...shares)
    tellOutcome(
      'primary of a Cluster killed, `replicated:1`',
      outcome,
      `${kills} promoted${shares.length > 0 ? `, others at ${least.toFixed(2)}` : ''}`,
    )
    expectNothingLost(outcome)
    expectNoneTold(running, outcome)
    if (isLong) expect(least).toBeGreaterThanOrEqual(LEAST_SHARE_OF_OTHERS)
  },
)

testInLongForm(
  'slots move under load, to a node that was added and back before it is removed: no client notices',
  async () => {
    const running = await start(PATIENT_MS)
    const primaries = await cluster.primaries()
    const slots = await Promise.all(primaries.map((node) => cluster.usedSlots(node)))
    // One that holds a part of the space, whatever its number of partitions.
    const at = slots.findIndex(({ length }) => length > 0)
    const [first, second] = [primaries[at], primaries[(at + 1) % primaries.length]] as [ClusterNode, ClusterNode]
    const used = slots[at] as readonly number[]
    const rest = (await cluster.slotsOf(first)).filter((slot) => !used.includes(slot))
    const moved = [...used, ...rest].slice(0, form(100, MOVED_SLOTS))
    await cluster.moveSlots(first, second, moved)
    await running.answered(PER_SECOND / 2)
    const added = await cluster.addNode()
    await cluster.moveSlots(second, added, moved)
    await running.answered(PER_SECOND / 2)
    expect((await cluster.usedSlots(added)).length).toBeGreaterThan(0)
    await cluster.removeNode(added, first)
    await running.answered(PER_SECOND / 2)
    const outcome = await running.finish()
    tellOutcome('slots of a Cluster moved', outcome, `${3 * moved.length} moved, a node added and removed`)
    expectNothingLost(outcome)
    expectNoneTold(running, outcome)
  },
)

failOnLeaks()

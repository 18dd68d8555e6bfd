/** A Redis Cluster of real processes, whose nodes can be killed, added and removed, and whose slots can be moved under load. */
import { type ClusterNode, moveSlot, startNode } from './cluster-node.js'
import { hasMet, hasSlot, isAlive, type KnownNode, ownedSlots, ownershipIn, SLOTS, slotsOf } from './cluster-view.js'
import type { RedisOptions } from './redis.js'
import { dial } from './resp.js'
import { until } from './until.js'

export interface ClusterOptions extends RedisOptions {
  /** Default 3. */
  readonly primaries?: number
  /** Of each primary. Default 1. */
  readonly replicas?: number
  /** Without an answer for so long, a node counts as failing. Default 2000. */
  readonly nodeTimeoutMs?: number
}

export interface Cluster {
  /** `redis+cluster://` with the primaries of the start. */
  readonly url: string
  /** All that have not been removed: at the start first the primaries, then their replicas. */
  readonly nodes: readonly ClusterNode[]
  /** Those that have slots, in the order of these. */
  primaries(): Promise<ClusterNode[]>
  /** The primary that has the slot of this key. */
  ownerOf(key: string): Promise<ClusterNode>
  slotsOf(node: ClusterNode): Promise<readonly number[]>
  /** Those slots of a primary that have keys. */
  usedSlots(node: ClusterNode): Promise<readonly number[]>
  /** Resolves with the node that has got the slots of `old`, when all that live agree. */
  promoted(old: ClusterNode): Promise<ClusterNode>
  /** Moves slots with their keys, MOVED_AT_ONCE at a time. @param slots which, or how many */
  moveSlots(from: ClusterNode, to: ClusterNode, slots: readonly number[] | number): Promise<void>
  /** One more primary, without slots, and its replicas. */
  addNode(): Promise<ClusterNode>
  /** Its slots and keys go to `to`; then the others forget it and its replicas, and these end. */
  removeNode(node: ClusterNode, to: ClusterNode): Promise<void>
  /** Resolves when all nodes are there, agree, and replicate. */
  settled(): Promise<void>
  /** Ends all and removes their folders. */
  stop(): Promise<void>
}

/** A node saves what it knows of the slots to its disk, once for all of these: a busy disk takes 20 ms for it. */
const MOVED_AT_ONCE = 16

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { primaries: count = 3, replicas = 1, nodeTimeoutMs = 2_000 } = options
  const nodes: ClusterNode[] = []
  /** One slot that each node had when all agreed the last time that it had any. */
  const lastSlot = new Map<string, number>()
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())))
  const byId = (id: string): ClusterNode => nodes.find((node) => node.id === id) as ClusterNode

  /** What the living nodes see, if they agree and all slots have an owner. */
  async function agreed(): Promise<KnownNode[]> {
    const told = await Promise.allSettled(nodes.map((node) => node.view()))
    const views = told.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    const [first = []] = views
    const areAllIn = (view: readonly KnownNode[]): boolean => view.length === nodes.length && view.every(hasMet)
    if (!views.every(areAllIn)) throw new Error('they do not know each other')
    if (new Set(views.map(ownershipIn)).size !== 1) throw new Error('they do not agree whose slots are whose')
    if (ownedSlots(first) < SLOTS) throw new Error('some slots have no owner')
    for (const { id, ranges } of first) if (ranges[0]) lastSlot.set(id, ranges[0][0])
    return first
  }

  /** Waits until the nodes agree, and it is so. */
  async function viewWith(is: (view: readonly KnownNode[]) => boolean, what: string): Promise<KnownNode[]> {
    let view: KnownNode[] = []
    const look = async (): Promise<boolean> => {
      view = await agreed()
      return is(view)
    }
    await until(look, what)
    return view
  }
  const present = (): Promise<KnownNode[]> => viewWith(() => true, 'the nodes of the Cluster agree')
  const ownerIn = (view: readonly KnownNode[], slot: number): ClusterNode =>
    byId((view.find((node) => hasSlot(node, slot)) as KnownNode).id)
  const slotsAt = async ({ id }: ClusterNode): Promise<number[]> =>
    (await present()).filter((node) => node.id === id).flatMap(slotsOf)

  async function settled(): Promise<void> {
    await viewWith((view) => view.every(isAlive), 'all nodes of the Cluster are there')
    for (const node of nodes) {
      const serves = async (): Promise<boolean> =>
        /role:master|master_link_status:up/.test(await node.cli('INFO', 'replication')) &&
        (await node.cli('CLUSTER', 'INFO')).includes('cluster_state:ok')
      await until(serves, `the node on port ${node.port} is in service`)
    }
  }

  async function moveSlots(from: ClusterNode, to: ClusterNode, slots: readonly number[] | number): Promise<void> {
    const view = await present()
    const moved = typeof slots === 'number' ? (await slotsAt(from)).slice(0, slots) : slots
    const isOther = (node: KnownNode): boolean =>
      node.flags.includes('master') && isAlive(node) && node.id !== from.id && node.id !== to.id
    const ends = [from, to].map((node) => ({ node, dialled: dial(node.port) }))
    const others = view.filter(isOther).map(({ port }) => dial(port))
    try {
      for (let at = 0; at < moved.length; at += MOVED_AT_ONCE) {
        const some = moved.slice(at, at + MOVED_AT_ONCE)
        await Promise.all(some.map((slot) => moveSlot(slot, ends[0]!, ends[1]!, others)))
      }
    } finally {
      for (const each of [...ends.map(({ dialled }) => dialled), ...others]) each.close()
    }
  }

  try {
    for (let i = 0; i < count * (1 + replicas); i++) nodes.push(await startNode(options, nodeTimeoutMs, i + 1))
    const primaries = nodes.slice(0, count)
    const share = Math.ceil(SLOTS / count)
    for (const [i, node] of primaries.entries()) {
      const last = Math.min(SLOTS, (i + 1) * share) - 1
      await node.cli('CLUSTER', 'ADDSLOTSRANGE', String(i * share), String(last))
    }
    // Each meets each: until they have heard of all from one, seconds pass.
    for (const node of nodes) for (const other of nodes) if (other !== node) await node.meet(other)
    for (const [i, node] of nodes.slice(count).entries()) await node.follow(primaries[i % count] as ClusterNode)
    await settled()
  } catch (error) {
    await stop()
    throw error
  }
  const hosts = nodes.slice(0, count).map(({ port }) => `127.0.0.1:${port}`)

  return {
    url: `redis+cluster://${hosts.join(',')}`,
    nodes,
    async primaries() {
      const firstSlot = ({ ranges }: KnownNode): number => ranges[0]?.[0] ?? SLOTS
      const owning = (await present()).filter((node) => firstSlot(node) < SLOTS)
      return owning.sort((a, b) => firstSlot(a) - firstSlot(b)).map(({ id }) => byId(id))
    },
    async ownerOf(key) {
      const view = await present()
      const { id } = view.find(isAlive) as KnownNode
      return ownerIn(view, Number(await byId(id).cli('CLUSTER', 'KEYSLOT', key)))
    },
    slotsOf: slotsAt,
    async usedSlots(node) {
      const keys = (await node.cli('KEYS', '*')).split('\n').filter((key) => key !== '')
      const dialled = dial(node.port)
      try {
        return [...new Set(await Promise.all(keys.map((key) => dialled.ask('CLUSTER', 'KEYSLOT', key))))].map(Number)
      } finally {
        dialled.close()
      }
    },
    async promoted({ id }) {
      const hasNone = (view: readonly KnownNode[]): boolean =>
        view.every((node) => node.id !== id || !node.ranges.length)
      return ownerIn(await viewWith(hasNone, 'a replica has got the slots'), lastSlot.get(id) as number)
    },
    moveSlots,
    async addNode() {
      const added = await Promise.all(Array.from({ length: 1 + replicas }, () => startNode(options, nodeTimeoutMs, 0)))
      for (const node of added) {
        for (const other of nodes) await other.meet(node)
        nodes.push(node)
      }
      const [primary, ...followers] = added as [ClusterNode, ...ClusterNode[]]
      for (const follower of followers) await follower.follow(primary)
      await settled()
      return primary
    },
    async removeNode(node, to) {
      await moveSlots(node, to, await slotsAt(node))
      const removed = (await present()).filter(({ id, follows }) => id === node.id || follows === node.id)
      const ended = removed.map(({ id }) => byId(id))
      for (const each of ended) nodes.splice(nodes.indexOf(each), 1)
      for (const each of ended) for (const other of nodes) await other.cli('CLUSTER', 'FORGET', each.id)
      await Promise.all(ended.map((each) => each.stop()))
      await settled()
    },
    settled,
    stop,
  }
}

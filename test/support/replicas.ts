/** A primary, its replicas and three Sentinels as real processes, which fail over by themselves or when told to. */
import { type Link, startLink } from './link.js'
import { type Redis, type RedisOptions, startRedis } from './redis.js'
import { command } from './resp.js'
import { MASTER, type Sentinel, startSentinel } from './sentinel.js'
import { until } from './until.js'

export interface ReplicasOptions extends RedisOptions {
  /** How many follow the primary. Default 2. */
  readonly replicas?: number
  /** Whether what goes between a primary and its replicas can be lost. All connections then pass through this process. */
  readonly links?: boolean
  readonly downAfterMs?: number
  readonly failoverTimeoutMs?: number
  /** Of the servers. */
  readonly password?: string
  /** Of the Sentinels. */
  readonly sentinelPassword?: string
}

/** One of the servers. Its `port` and `url` are those that clients get; killed, it refuses connections, also behind a link. */
export interface Replica extends Redis {
  /** `master` or `slave`, as it sees itself. */
  role(): Promise<string>
}

export interface Replicas {
  /** `redis+sentinel://…/mymaster`, with the passwords. */
  readonly url: string
  /** The first was the primary at the start. */
  readonly nodes: readonly Replica[]
  readonly sentinels: readonly Sentinel[]
  /** The server that the Sentinels name. It may be dead. */
  primary(): Promise<Replica>
  /** Resolves with the new primary when all Sentinels name another one than `old` and it accepts writes. */
  promoted(old: Replica): Promise<Replica>
  /** Promotes a replica although the primary is well. Resolves as `promoted`. */
  failover(): Promise<Replica>
  /** What primaries send their replicas, and these answer, is lost from now on; no connection closes. Only with `links`. */
  cutReplication(): void
  /** What was lost comes late. A replica that was promoted meanwhile does not follow any more. */
  healReplication(): void
  /** Resolves when one is the primary and all the others follow it; all must be there. */
  settled(): Promise<void>
  /** One command at the primary of the moment. */
  cli(...args: string[]): Promise<string>
  /** Ends all and removes their folders. */
  stop(): Promise<void>
}

const QUORUM = 2
const SENTINELS = 3

export async function startReplicas(options: ReplicasOptions = {}): Promise<Replicas> {
  const { replicas = 2, links = false, downAfterMs = 1_000, failoverTimeoutMs = 3_000, ...rest } = options
  const { password, sentinelPassword } = rest
  const nodes: Node[] = []
  const sentinels: Sentinel[] = []
  const stop = async (): Promise<void> =>
    void (await Promise.all([...sentinels, ...nodes].map((started) => started.stop())))

  const atSentinels = (...args: string[]): Promise<string[]> =>
    Promise.all(sentinels.map((sentinel) => sentinel.cli('SENTINEL', ...args)))
  const byPort = (port: string | undefined): Node | undefined => nodes.find((node) => String(node.port) === port)
  /** The one that a majority of those that answer names. */
  const named = async (): Promise<Node | undefined> => {
    const asked = sentinels.map((sentinel) => sentinel.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER))
    const ports = (await Promise.allSettled(asked)).map((told) =>
      told.status === 'fulfilled' ? told.value.split('\n')[1] : undefined,
    )
    const [port] = ports.filter(
      (each) => each !== undefined && ports.filter((other) => other === each).length >= QUORUM,
    )
    return byPort(port)
  }
  /** Waits until the Sentinels name one that `serves`. */
  const namedThat = async (serves: (node: Node) => boolean | Promise<boolean>, what: string): Promise<Replica> => {
    const found: Node[] = []
    await until(async () => {
      const node = await named()
      return node !== undefined && (await serves(node)) && found.push(node) > 0
    }, what)
    return found[0] as Node
  }
  const primary = (): Promise<Replica> => namedThat(() => true, 'the Sentinels agree on a primary')
  const promoted = (old: Replica): Promise<Replica> =>
    namedThat(async (node) => node !== old && (await node.role()) === 'master', 'a replica is the primary')
  const followed = async (): Promise<boolean> => {
    const at = await named()
    if ((await at?.role()) !== 'master') return false
    const followers = (await at?.cli('INFO', 'replication'))?.match(/^slave\d+:.*state=online/gm) ?? []
    return followers.length === replicas
  }
  const known = async (): Promise<boolean> => {
    const told = await atSentinels('MASTER', MASTER)
    const counts = [`num-slaves\n${replicas}`, `num-other-sentinels\n${SENTINELS - 1}`]
    return told.every((each) => counts.every((count) => each.includes(count)))
  }
  // Sentinels look every 10 s for replicas, tell each other every 2 s, and let a wrong role pass for four times that. Here they hurry.
  const settled = async (): Promise<void> => {
    await atSentinels('DEBUG', 'info-period', '100', 'publish-period', '100')
    await until(known, 'the Sentinels know each other and the replicas')
    await until(followed, 'all replicas follow the primary')
    await atSentinels('DEBUG', 'info-period', '10000', 'publish-period', '2000')
  }

  try {
    for (let i = 0; i <= replicas; i++) nodes.push(await startNode(rest, links))
    const [first, ...others] = nodes as [Node, ...Node[]]
    for (const other of others) await other.cli('REPLICAOF', '127.0.0.1', String(first.port))
    const terms = {
      primaryPort: first.port,
      quorum: QUORUM,
      downAfterMs,
      failoverTimeoutMs,
      password,
      sentinelPassword,
    }
    for (let i = 0; i < SENTINELS; i++) sentinels.push(await startSentinel(terms))
    await settled()
  } catch (error) {
    await stop()
    throw error
  }

  return {
    url: urlOf(sentinels, options),
    nodes,
    sentinels,
    primary,
    promoted,
    async failover() {
      const old = await primary()
      // A Sentinel refuses while it has not seen the last one to its end.
      await until(async () => (await sentinels[0]?.cli('SENTINEL', 'FAILOVER', MASTER)) === 'OK', 'a failover begins')
      return promoted(old)
    },
    cutReplication() {
      for (const { link } of nodes) {
        if (!link) throw new Error('startReplicas({ links: true }) can lose what is replicated')
        link.blackhole()
      }
    },
    healReplication() {
      for (const { link } of nodes) link?.heal()
    },
    settled,
    cli: async (...args) => (await primary()).cli(...args),
    stop,
  }
}

function urlOf(sentinels: readonly Sentinel[], { password, sentinelPassword }: ReplicasOptions): string {
  const login = password === undefined ? '' : `:${password}@`
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
  const query = sentinelPassword === undefined ? '' : `?sentinelPassword=${sentinelPassword}`
  return `redis+sentinel://${login}${hosts}/${MASTER}${query}`
}

interface Node extends Replica {
  /** What all reach it by, the replicas of it too; its faults hit these alone. */
  readonly link: Link | undefined
}

async function startNode({ password, args = [], ...options }: ReplicasOptions, links: boolean): Promise<Node> {
  const passwords = password === undefined ? [] : ['--requirepass', password, '--masterauth', password]
  // A replica that asks for all data gets it at once and not after 5 s.
  const own = ['--repl-diskless-sync-delay', '0', ...passwords, ...args]
  const redis = await startRedis({ ...options, args: own })
  const link = links ? await startLink(redis.port, { only: 'REPLCONF' }) : undefined
  const cli = (...asked: string[]): Promise<string> => command(redis.port, asked, undefined, password)
  const announce = async (): Promise<void> => {
    if (link) await cli('CONFIG', 'SET', 'replica-announce-port', String(link.port))
  }
  await announce()
  const port = link?.port ?? redis.port
  return {
    ...redis,
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return redis.pid
    },
    link,
    cli,
    role: async () => (await cli('ROLE')).split('\n')[0] as string,
    async kill(signal) {
      await link?.refuse()
      await redis.kill(signal)
    },
    async restart() {
      await link?.refuse()
      await redis.restart()
      await announce()
      await link?.accept()
    },
    async stop() {
      await link?.close()
      await redis.stop()
    },
  }
}

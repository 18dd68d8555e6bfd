/** A space on a Cluster in one partition, to be used where a test has a single server: killed, it is another one that comes back. */
import { type Cluster, type ClusterOptions, startCluster } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'
import type { Redis } from './redis.js'

/**
 * `kill` kills the primary that has the space. `restart` ends one that still runs, resolves when a replica has taken its
 * place, and starts the old one as a replica of that. `port`, `pid` and `folder` are those of the first primary.
 */
export async function startPartition(name: string, options: ClusterOptions): Promise<Redis> {
  // With one replica, `replicated:1` would not be met while the old primary is away.
  const cluster: Cluster = await startCluster({ replicas: 2, ...options })
  const owner = (): Promise<ClusterNode> => cluster.ownerOf(`{ts:${name}}:m`)
  const { port, pid, folder } = await owner()
  let killed: ClusterNode | undefined
  let frozen: ClusterNode | undefined
  const kill = async (signal?: NodeJS.Signals): Promise<void> => {
    killed ??= await owner()
    await killed.kill(signal)
  }
  return {
    url: `${cluster.url}?partitions=1`,
    port,
    pid,
    folder,
    kill,
    async restart() {
      await kill()
      const old = killed as ClusterNode
      killed = undefined
      await cluster.promoted(old)
      await old.restart()
      await cluster.settled()
    },
    pause() {
      void owner().then((node) => {
        frozen = node
        node.pause()
      })
    },
    resume: () => frozen?.resume(),
    stop: () => cluster.stop(),
    cli: async (...args) => (await owner()).cli(...args),
  }
}

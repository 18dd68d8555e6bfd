/** The primary behind Sentinels, to be used where a test has a single server: killed, it is another one that comes back. */
import type { Redis } from './redis.js'
import { type Replica, type Replicas, type ReplicasOptions, startReplicas } from './replicas.js'

/**
 * `kill` kills the primary of the moment. `restart` ends one that still runs, resolves when a replica has taken its place,
 * and starts the old one as a replica of that. `port`, `pid` and `folder` are those of the first primary.
 */
export async function startPrimary(options: ReplicasOptions): Promise<Redis> {
  const replicas: Replicas = await startReplicas(options)
  let killed: Replica | undefined
  const kill = async (signal?: NodeJS.Signals): Promise<void> => {
    killed ??= await replicas.primary()
    await killed.kill(signal)
  }
  let frozen: Replica | undefined
  const first = replicas.nodes[0] as Replica
  return {
    url: replicas.url,
    port: first.port,
    pid: first.pid,
    folder: first.folder,
    kill,
    async restart() {
      await kill()
      const old = killed as Replica
      killed = undefined
      await replicas.promoted(old)
      await old.restart()
      await replicas.settled()
    },
    pause() {
      void replicas.primary().then((primary) => {
        frozen = primary
        primary.pause()
      })
    },
    resume: () => frozen?.resume(),
    stop: () => replicas.stop(),
    cli: (...args) => replicas.cli(...args),
  }
}

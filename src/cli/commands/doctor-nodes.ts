/** The checks of `takespace doctor` on what stands beside the server of a space: replicas, the nodes of a Cluster, Sentinels. */
import type { NodeSettings, NodeView, Surroundings } from '../../engines/redis/inspect-nodes.js'
import type { SentinelView } from '../../engines/redis/inspect-sentinels.js'
import { type Check, check, type Problem } from './doctor-check.js'

/** A replica confirms once a second; one that has been silent for longer cannot confirm a write in time. */
const LAG_SECONDS = 3
const SLOTS = 16_384
const LEAST_SENTINELS = 3

type Reached = NodeView & { readonly settings: NodeSettings }

/** Returns no check for a server that stands alone, unless it is to fail over. */
export function nodeChecks({ nodes, cluster }: Surroundings, sentinels: SentinelView | null): readonly Check[] {
  const reached = nodes.filter((node): node is Reached => node.settings !== null)
  const primaries = reached.filter(({ settings }) => settings.isPrimary)
  const failsOver = cluster !== null || sentinels !== null
  if (!failsOver && primaries.every(({ settings }) => settings.replicas.length === 0)) return []
  return [
    ...(cluster ? [clusterCheck(cluster, primaries)] : []),
    ...(sentinels ? [sentinelCheck(sentinels)] : []),
    replicaCheck(primaries, failsOver),
    minReplicaCheck(primaries),
    aofCheck(nodes, reached),
  ]
}

/** Names the servers, if there are more than one. */
const at = (nodes: readonly NodeView[]): string => nodes.map(({ shown }) => shown).join(', ')

function clusterCheck(
  { state, slotsServed }: NonNullable<Surroundings['cluster']>,
  primaries: readonly Reached[],
): Check {
  if (slotsServed === null)
    return check('Cluster', 'unknown', [
      'warn',
      'Let this user run CLUSTER INFO and CLUSTER NODES, or run this as another one: the other nodes were not looked at.',
    ])
  const needsAll = primaries.some(({ settings }) => settings.needsAllSlots)
  const found = `${state}, ${slotsServed} of ${SLOTS} slots served, ${primaries.length} primaries answer`
  const wrong: Problem =
    slotsServed < SLOTS || state !== 'ok'
      ? ['fail', 'Bring the nodes of the other slots back: requests that belong there are refused.']
      : needsAll && [
          'warn',
          'Set cluster-require-full-coverage no, or the whole Cluster refuses requests while one primary is replaced.',
        ]
  return check('Cluster', found, wrong)
}

function sentinelCheck({ known, answering, named, quorum, downAfterMs, refusal }: SentinelView): Check {
  const found = `${answering} of ${known} answer, quorum ${quorum}, down after ${downAfterMs} ms`
  const wrong: Problem =
    refusal !== null
      ? ['fail', `No failover is possible now (${refusal}). Start the missing Sentinels.`]
      : known < LEAST_SENTINELS
        ? ['warn', `Run at least ${LEAST_SENTINELS} Sentinels on machines of their own: a failover needs a majority.`]
        : answering < known
          ? ['warn', 'Start the missing Sentinels, or forget them: SENTINEL RESET on each of the others.']
          : named < known
            ? [
                'warn',
                `Name all ${known} in the address: only the one that leads a failover tells of it before its end.`,
              ]
            : quorum > Math.floor(known / 2) + 1 && ['warn', 'Lower the quorum to a majority of the Sentinels.']
  return check('Sentinels', found, wrong)
}

function replicaCheck(primaries: readonly Reached[], failsOver: boolean): Check {
  const replicas = primaries.flatMap(({ settings }) => settings.replicas)
  const lag = Math.max(0, ...replicas.map(({ lagSeconds }) => lagSeconds))
  const behind = Math.max(0, ...replicas.map(({ bytesBehind }) => bytesBehind))
  const alone = primaries.filter(({ settings }) => settings.replicas.length === 0)
  const late = primaries.some(({ settings }) =>
    settings.replicas.some(({ isOnline, lagSeconds }) => !isOnline || lagSeconds > LAG_SECONDS),
  )
  const copies = primaries.some(({ settings }) =>
    settings.replicas.some(({ bytesBehind }) => bytesBehind > settings.backlogBytes),
  )
  const wrong: Problem =
    failsOver && alone.length > 0
      ? [
          'warn',
          `Add a replica to ${at(alone)}: nothing can take its place, and no write of replicated:1 is confirmed.`,
        ]
      : late
        ? ['warn', 'Look at the network and the load of the replica: writes of replicated:n wait for it in vain.']
        : copies && ['warn', 'Raise repl-backlog-size, or a replica that reconnects copies all data.']
  return check('replicas', `${replicas.length}, at most ${lag} s and ${behind} bytes behind`, wrong)
}

function minReplicaCheck(primaries: readonly Reached[]): Check {
  const unset = primaries.filter(({ settings }) => settings.minReplicas === 0)
  const unmet = primaries.filter(({ settings }) => (settings.minReplicas ?? 0) > settings.replicas.length)
  const values = [...new Set(primaries.map(({ settings }) => settings.minReplicas ?? 'unknown'))]
  const wrong: Problem =
    unmet.length > 0
      ? ['fail', `${at(unmet)} refuses all writes (NOREPLICAS): bring its replicas back or lower the setting.`]
      : unset.length > 0 && [
          'warn',
          'Set min-replicas-to-write 1 and min-replicas-max-lag 2: a primary that was replaced without knowing then refuses writes.',
        ]
  return check('min-replicas', `min-replicas-to-write ${values.join(', ')}`, wrong)
}

function aofCheck(nodes: readonly NodeView[], reached: readonly Reached[]): Check {
  const off = reached.filter(({ settings }) => !settings.aof)
  const unknown = nodes.filter(({ settings }) => settings === null)
  const found = `on for ${reached.length - off.length} of ${nodes.length} servers`
  const unseen = unknown.length > 0 ? `, ${at(unknown)} not reached from here` : ''
  const wrong: Problem =
    off.length > 0
      ? ['warn', `Set appendonly yes on ${at(off)}: each may become the primary, and loses everything in a restart.`]
      : unknown.length > 0 && ['warn', 'Start the missing servers, or run this where all can be reached.']
  return check('AOF of all', `${found}${unseen}`, wrong)
}

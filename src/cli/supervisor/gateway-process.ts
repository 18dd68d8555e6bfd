/**
 * A gateway process of a supervisor: shares its port with the others, drains when it is told to or its supervisor is
 * gone.
 */
import cluster from 'node:cluster'
import { controlOf } from '../../control.js'
import type { Space } from '../../space.js'
import { type GatewayCommandFlags, startGateway } from '../commands/gateway.js'
import { openLog } from '../log.js'
import { startBeat, TURNLESS } from './heartbeat.js'
import { messageOf, type Question } from './ipc.js'
import { metricsReporter, report, reportFailure } from './to-supervisor.js'

/** Its settings come from its supervisor, since those of services may be larger than a command line. */
export interface GatewayProcessSettings {
  readonly url: string
  readonly flags: GatewayCommandFlags
}

export async function gatewayProcess(): Promise<void> {
  let space: Space | undefined
  let stopping = false
  const stop = async (): Promise<void> => {
    if (stopping) return
    stopping = true
    await space?.close()
    if (process.connected) process.disconnect()
  }
  // Without it, node:cluster ends this process as soon as its supervisor is gone.
  if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
  process.on('disconnect', () => void stop())
  process.on('SIGTERM', () => void stop())
  // A terminal sends Ctrl-C to the whole group: the supervisor gets it too, and has this process drain.
  process.on('SIGINT', () => {})
  let reportMetrics = (): void => {}
  const settings = new Promise<GatewayProcessSettings>((resolve) => {
    process.on('message', (message) => {
      const question = messageOf<Question>(message)
      if (question === 'drain') void stop()
      else if (question === 'metrics') reportMetrics()
      else if (question) resolve(question.settings as GatewayProcessSettings)
    })
  })
  try {
    const logger = await openLog('gateway')
    report({ awaiting: 'settings' })
    const { url, flags } = await settings
    await startBeat(TURNLESS, logger, (beat) => report({ beat }))
    await startGateway(url, { ...flags, adminPort: undefined, dashboard: undefined }, logger, (gateway, opened) => {
      space = opened
      controlOf(opened).onStop = stop
      report({ presence: opened.presence })
      reportMetrics = metricsReporter(gateway.measures, opened, logger)
    })
    report({ ready: true })
  } catch (error) {
    if (stopping) return
    stopping = true
    reportFailure(error)
  }
}

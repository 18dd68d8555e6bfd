/** The reports of a process to its supervisor. */
import { appMetrics } from '../../admin/app-metrics.js'
import { type Measure, spaceMeasures } from '../../admin/measures.js'
import type { Logger } from '../../log.js'
import type { Space } from '../../space.js'
import { describeWhere } from '../failure.js'
import type { IpcMessage, Report } from './ipc.js'

export function report(content: Report, told?: () => void): void {
  const message: IpcMessage<Report> = { takespace: content }
  // If the supervisor is gone the channel is closed.
  if (!process.connected) return told?.()
  process.send?.(message, undefined, undefined, () => told?.())
}

/** Reports why the process cannot start, and ends it. Throws the error if the supervisor is gone. */
export function reportFailure(error: unknown): void {
  // The supervisor prints the error once, even if several processes fail alike.
  if (!process.connected) throw error
  report({ failed: describeWhere(error) }, () => process.exit(1))
}

/** Returns a function that reports the metrics: they are read, and their code loaded, when the supervisor asks. */
export function metricsReporter(own: readonly Measure[], space: Space, logger: Logger): () => void {
  const measures = [...own, ...spaceMeasures(space)]
  const readApp = appMetrics(logger)
  const metrics = async (): Promise<Report> => {
    const { familiesOf } = await import('../../admin/metrics.js')
    return { metrics: { families: await familiesOf(measures), ofApp: await readApp() } }
  }
  return () => {
    metrics().then(
      (answer) => report(answer),
      (err) => logger.warn({ err }, 'the metrics of this process could not be sent'),
    )
  }
}

/** A scheduler whose queues are beside the space on its server: if the space moves, it goes on at the new one. */
import type { Move } from '../engine/move.js'
import type { Logger } from '../log.js'
import type { RunningScheduler } from './asked.js'

/** How long after a failure it is started again. */
const AGAIN_MS = 1_000

/**
 * Runs a scheduler where the space is. Before the old server is left it is stopped; it starts at the new one once its queues
 * are there. What is due in between is late.
 *
 * @param start starts it where the space is now
 */
export async function runMoving(
  move: Move,
  start: () => Promise<RunningScheduler>,
  logger: Logger,
): Promise<RunningScheduler> {
  if (move.hasMoved) await move.arrived()
  let running: Promise<RunningScheduler | undefined> = start()
  await running
  let isStopped = false
  const startThere = async (): Promise<RunningScheduler | undefined> => {
    while (!isStopped) {
      try {
        await move.arrived()
        const started = isStopped ? undefined : await start()
        logger.info({}, 'the scheduler goes on at the new address')
        return started
      } catch (err) {
        if (!isStopped) logger.warn({ err }, 'the scheduler does not start at the new address yet')
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref())
      }
    }
    return undefined
  }
  const forget = move.onLeaving(async () => {
    const former = await running
    await former?.stop()
    running = startThere()
  })
  return {
    async stop() {
      isStopped = true
      forget()
      const last = await running.catch(() => undefined)
      await last?.stop()
    },
  }
}

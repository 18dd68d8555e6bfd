/** Runs an app in this process and follows its files: the worker of the new code starts before that of the old one ends. */
import { dirname, resolve } from 'node:path'
import { type App, createWorker, type Worker, type WorkerOptions } from '../../workers/index.js'
import { monotonicMs } from '../clock.js'
import { reloadApp, type Served } from './app.js'
import { describe } from './failure.js'
import { type Watch, watchCode } from './watch.js'

export interface Reloading {
  /** Follows the files no longer. The workers are the space's to stop. */
  close(): void
}

type Settings = Omit<WorkerOptions, 'app' | 'tasks'>

/** Resolves when the app takes requests. What became of a change is said by `tell`, in one line. */
export async function runReloading(
  file: string,
  served: Served<App>,
  settings: Settings,
  tell: (line: string) => void,
): Promise<Reloading> {
  let current = await started({ ...settings, ...served })
  let changedAgain = false
  let reloading = false
  let closed = false

  const reload = async (): Promise<void> => {
    changedAgain = true
    if (reloading) return
    reloading = true
    while (changedAgain && !closed) {
      changedAgain = false
      await swap()
    }
    reloading = false
  }

  const swap = async (): Promise<void> => {
    const begun = monotonicMs()
    try {
      const fresh = await started({ ...settings, ...(await reloadApp<App>(file)) })
      const old = current
      current = fresh
      // Not waited for: its slowest request must not hold up the next change.
      old.stop().catch((error) => tell(`The old app could not be stopped: ${describe(error)}`))
      tell(`${file} reloaded in ${Math.round(monotonicMs() - begun)} ms.`)
    } catch (error) {
      if (!closed) tell(`${file} was not reloaded, the old code goes on: ${describe(error)}`)
    }
  }

  const watch: Watch = watchCode(dirname(resolve(file)), () => void reload())
  return {
    close() {
      closed = true
      watch.close()
    },
  }
}

async function started(options: WorkerOptions): Promise<Worker> {
  const worker = createWorker(options)
  try {
    await worker.start()
    return worker
  } catch (error) {
    await worker.stop()
    throw error
  }
}

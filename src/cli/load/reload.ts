/** Runs an app in this process and reloads it: the worker of the new code starts before the old one ends. */
import { dirname, relative, resolve } from 'node:path'
import { type App, createWorker, type Worker, type WorkerOptions } from '../../../workers/index.js'
import { monotonicMs } from '../../clock.js'
import { describe, describeWhere } from '../failure.js'
import { type LoadOptions, loadApp, reloadApp } from './app-file.js'
import { closeApp } from './close.js'
import type { LoadedApp } from './exports.js'
import { onImport } from './register.js'
import { type FileWatch, real, type WatchTerms, watchFiles } from './watch.js'

export interface Reloading {
  /** The result of the first load. */
  readonly served: LoadedApp<App>
  /**
   * Stops following the files, finishes the app's requests, and closes the app. Resolves within `stopTimeoutMs` + 1 s.
   */
  stop(): Promise<void>
}

export interface ReloadTerms {
  readonly worker: Omit<WorkerOptions, 'app' | 'tasks'>
  readonly load: LoadOptions
  /** undefined: the files are not followed. */
  readonly watch: WatchTerms | undefined
}

interface RunningApp {
  readonly worker: Worker
  readonly served: LoadedApp<App>
  /** The signal listeners that its file has added. */
  readonly listeners: readonly SignalListener[]
}
type SignalListener = readonly [signal: 'SIGTERM' | 'SIGINT', listener: NodeJS.SignalsListener]

/** Time for an app to close. */
const APP_CLOSING_MS = 1_000

/** Resolves when the app takes requests. Reloads are reported to `tell`. */
export async function runReloading(file: string, terms: ReloadTerms): Promise<Reloading> {
  const { worker: settings, load } = terms
  const { tell } = load
  let current: RunningApp
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
    const before = signalListeners()
    try {
      const fresh = await reloadApp<App>(file, load)
      const old = current
      current = await started(settings, fresh, withoutListeners(signalListeners(), before))
      for (const [signal, listener] of old.listeners) process.off(signal, listener)
      // Not awaited: a slow request must not delay the next reload.
      void end(old)
      tell(`${file} reloaded in ${Math.round(monotonicMs() - begun)} ms.`)
    } catch (error) {
      for (const [signal, listener] of withoutListeners(signalListeners(), before)) process.off(signal, listener)
      if (!closed) tell(`${file} was not reloaded, the old code goes on: ${describeWhere(error)}`)
    }
  }

  const end = async ({ worker, served }: RunningApp): Promise<void> => {
    await worker.stop().catch((error) => tell(`the old app could not be stopped: ${describe(error)}`))
    await closeApp(served.close, APP_CLOSING_MS, tell)
  }

  const watch: FileWatch | undefined = terms.watch && watchFiles(terms.watch, () => void reload())
  const home = dirname(real(file))
  onImport((path) => {
    if (!isBuilt(path, home)) watch?.add(path)
  })
  const known = signalListeners()
  const served = await loadApp<App>(file, load)
  // A symbolic link may change.
  watch?.add(resolve(file))
  watch?.add(real(file))
  try {
    current = await started(settings, served, withoutListeners(signalListeners(), known))
  } catch (error) {
    watch?.close()
    throw error
  }
  return {
    served,
    async stop() {
      closed = true
      watch?.close()
      await end(current)
    },
  }
}

const signalListeners = (): SignalListener[] =>
  (['SIGTERM', 'SIGINT'] as const).flatMap((signal) =>
    process.listeners(signal).map((listener): SignalListener => [signal, listener as NodeJS.SignalsListener]),
  )

const withoutListeners = (all: readonly SignalListener[], known: readonly SignalListener[]): SignalListener[] =>
  all.filter(([signal, listener]) => !known.some(([s, l]) => s === signal && l === listener))

async function started(
  settings: ReloadTerms['worker'],
  served: LoadedApp<App>,
  listeners: readonly SignalListener[],
): Promise<RunningApp> {
  const { close: _, ...runs } = served
  const worker = createWorker({ ...settings, ...runs })
  try {
    await worker.start()
    return { worker, served, listeners }
  } catch (error) {
    await worker.stop()
    throw error
  }
}

/** Returns true if a file is in a hidden folder of the app: Next.js compiles into `.next`. */
const isBuilt = (path: string, home: string): boolean => /(^|\/)\.[^./]/.test(relative(home, dirname(path)))

/**
 * Tells systemd that this process is ready, that it stops, and, as a watchdog, that its event loop turns (sd_notify(3)).
 * Node.js has no datagram sockets of the file system, so each message is sent by `systemd-notify`: a unit needs
 * `NotifyAccess=all`.
 */
import { execFile } from 'node:child_process'
import type { Logger } from '../log.js'

/** As long as a message may take. The next one is not sent before. */
const SENT_WITHIN_MS = 5_000

export class ServiceManager {
  readonly #socket: string
  /** Time between two messages of the watchdog; undefined without one. */
  readonly #watchdogMs: number | undefined
  readonly #logger: Logger
  #watching: NodeJS.Timeout | undefined
  #sending: Promise<void> = Promise.resolve()
  #hasFailed = false

  constructor(socket: string, watchdogMs: number | undefined, logger: Logger) {
    this.#socket = socket
    this.#watchdogMs = watchdogMs
    this.#logger = logger
  }

  /** Reports that it serves. From then on the watchdog is told that the event loop turns, until the process exits. */
  ready(): void {
    void this.#send('READY=1')
    if (this.#watchdogMs === undefined) return
    this.#watching ??= setInterval(() => void this.#send('WATCHDOG=1'), this.#watchdogMs).unref()
  }

  /** Reports that it drains. */
  stopping(): void {
    void this.#send('STOPPING=1')
  }

  /** One after the other: they would be reordered. */
  #send(message: string): Promise<void> {
    this.#sending = this.#sending.then(() => this.#deliver(message))
    return this.#sending
  }

  #deliver(message: string): Promise<void> {
    const env = { PATH: process.env.PATH, NOTIFY_SOCKET: this.#socket }
    return new Promise((resolve) => {
      execFile('systemd-notify', [message], { env, timeout: SENT_WITHIN_MS }, (err) => {
        if (err && !this.#hasFailed) {
          this.#hasFailed = true
          this.#logger.warn({ err, message }, 'systemd-notify failed: the service manager was not told')
        }
        resolve()
      })
    })
  }
}

/**
 * Returns undefined unless a service manager waits for messages (NOTIFY_SOCKET). Its variables are removed: processes that
 * this one starts must not report in its place.
 */
export function serviceManager(logger: Logger): ServiceManager | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: within, WATCHDOG_PID: watched } = process.env
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete process.env[name]
  if (!socket) return undefined
  const isWatched = Number(within) > 0 && (watched === undefined || Number(watched) === process.pid)
  // Half of the time, as sd_watchdog_enabled(3) recommends.
  return new ServiceManager(socket, isWatched ? Number(within) / 2_000 : undefined, logger)
}

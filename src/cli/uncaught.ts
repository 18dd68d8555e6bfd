/** Errors that nothing has caught, in a process of the command line that runs an app. */

/**
 * Calls `handle` for each. If the app has a listener for `uncaughtException` itself, that listener decides, as in
 * Node.js; for rejections, one for `unhandledRejection`.
 */
export function onUncaught(handle: (error: unknown) => void): void {
  process.on('uncaughtException', (error) => {
    if (process.listenerCount('uncaughtException') === 1) handle(error)
  })
}

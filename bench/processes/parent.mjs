/** How a process of the benchmark talks to the one that started it, and ends with it. */

/** What it was started with. */
export const options = JSON.parse(process.argv[2])

export const tell = (type, fields) => process.connected && process.send({ type, ...fields })

process.on('disconnect', () => process.exit(0))
// Ctrl-C reaches the whole group; the parent decides. exit() rather than the signal, so that a CPU profile is written.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => process.exit(0))
process.on('uncaughtException', (error) => {
  if (!process.connected) process.exit(1)
  process.send({ type: 'failed', why: error.stack }, () => process.exit(1))
})

/** Says that it is ready and waits to be told to begin. Resolves to that message. */
export function begin() {
  return new Promise((resolve) => {
    process.once('message', resolve)
    tell('ready')
  })
}

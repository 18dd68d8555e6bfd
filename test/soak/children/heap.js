// Loaded into each process of a soak before its own code: on SIGUSR2 it collects garbage and appends a line to a file that bears its pid:
// what is left on the heap, what the process takes for itself, how many descriptors are open.
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc')
  const file = join(process.env.SOAK_FOLDER, String(process.pid))
  // Pages of files come and go as the kernel sees fit: only the others are the process's own.
  const status = '/proc/self/status'
  const ownBytes = () =>
    existsSync(status)
      ? Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(status, 'utf8'))[1]) * 1024
      : process.memoryUsage().rss
  process.on('SIGUSR2', () => {
    collectGarbage()
    const { heapUsed, external } = process.memoryUsage()
    // One of them is that of the look itself.
    const descriptors = readdirSync('/dev/fd').length - 1
    appendFileSync(
      file,
      `${JSON.stringify({ at: Date.now(), heap: heapUsed + external, resident: ownBytes(), descriptors })}\n`,
    )
  })
}

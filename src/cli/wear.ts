/** Tells when a worker process has done as much, or grown as large, as it may: it is worn, and to be replaced. */
import type { Logger } from '../log.js'
import type { Space } from '../space.js'

export interface Wear {
  readonly maxRequests?: number
  /** MB of resident memory. */
  readonly maxMemory?: number
}

const LOOK_MS = 500
const MEGABYTE = 2 ** 20

/** Call it before a worker is made on the space. What it hands out is counted, not what is answered: a request that hangs wears, too. */
export function watchRequests(space: Space, { maxRequests }: Wear, onWorn: (why: string) => void): void {
  if (maxRequests === undefined) return
  const { engine } = space
  const offer = engine.offer.bind(engine)
  let n = 0
  engine.offer = (pattern, credit, onDelivery) =>
    offer(pattern, credit, (delivery) => {
      onDelivery(delivery)
      if (++n === maxRequests) onWorn(`${n} requests`)
    })
}

/** Call it when the app is ready. */
export function watchMemory({ maxMemory }: Wear, logger: Logger, onWorn: (why: string) => void): void {
  if (maxMemory === undefined) return
  const megabytes = (): number => Math.round(process.memoryUsage.rss() / MEGABYTE)
  if (megabytes() >= maxMemory) {
    // Its successor would be no smaller.
    logger.warn(
      { maxMemory, megabytes: megabytes() },
      'the app takes more than --max-memory as it starts: not replaced',
    )
    return
  }
  const looking = setInterval(() => {
    if (megabytes() < maxMemory) return
    clearInterval(looking)
    onWorn(`${megabytes()} MB of memory`)
  }, LOOK_MS)
  looking.unref()
}

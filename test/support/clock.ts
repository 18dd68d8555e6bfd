/** Wall clocks that a test steps: of the processes that are started with their environment, and of nothing else. */
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface SteppedClock {
  /** For the processes that are to go by it. */
  readonly env: Readonly<Record<string, string>>
  /** From now on it is so far from the true time: ahead, or behind if negative. */
  step(ms: number): void
  remove(): void
}

/** What `.ci/clock.mjs` made. */
const LIBRARY = fileURLToPath(new URL('../../.cache/clock/clock.so', import.meta.url))

export function steppedClock(): SteppedClock {
  if (!existsSync(LIBRARY)) {
    throw new Error(
      'No library that steps clocks. Run `npm test`, or `node .ci/clock.mjs` once; it needs a C compiler: gcc, clang or tcc.',
    )
  }
  const folder = mkdtempSync(join(tmpdir(), 'takespace-clock-'))
  const path = join(folder, 'offset')
  const file = openSync(path, 'w')
  const step = (ms: number): void => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(Math.round(ms)) * 1_000_000n)
    // One write of 8 bytes, which its readers have mapped: they see the old or the new one.
    writeSync(file, bytes, 0, 8, 0)
  }
  step(0)
  return {
    env: { LD_PRELOAD: LIBRARY, CLOCK_OFFSET: path },
    step,
    remove() {
      closeSync(file)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

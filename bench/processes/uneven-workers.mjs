/** Four unequal workers of takespace: one is slower by a factor; each takes as many requests as it handles at a time. */
import { openSpace } from '../../dist/src/index.js'
import { createWorker } from '../../dist/workers/index.js'
import { sleeper } from '../apps/sleeper.mjs'
import { begin, options } from './parent.mjs'

for (const factor of options.factors) {
  const space = await openSpace(options.url, { name: options.name })
  await createWorker({ space, app: sleeper({ factor }), concurrency: options.slots }).start()
}
await begin()

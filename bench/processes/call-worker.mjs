/** A worker of tasks: echoes what it is given, under a claim that a crash would give back. */
import { openSpace } from '../../dist/src/index.js'
import { createWorker } from '../../dist/workers/index.js'
import { begin, options } from './parent.mjs'

const space = await openSpace(options.url)
const tasks = { echo: (input) => input }
await createWorker({ space, tasks, concurrency: options.concurrency }).start()
await begin()

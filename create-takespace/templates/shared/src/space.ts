/** The space that all processes of this service share. `takespace dev` and the tests have one in memory. */
import { createClient, openSpace } from 'takespace'
import type { tasks } from './tasks.js'

export const space = await openSpace(process.env.TAKESPACE_URL ?? 'redis://127.0.0.1:6379')

/** Calls and enqueues the tasks of this service. */
export const client = createClient<typeof tasks>({ space })

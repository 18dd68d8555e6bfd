/** The kinds of entry that the promises are told with. */
import { defineEntry } from '../../src/entry.js'

export const Task = defineEntry<{ id: string; type?: string; size?: number; note?: string | null }>('Task')
export const BigTask = Task.extend<{ shards: number }>('BigTask')
export const Other = defineEntry<{ id: string }>('Other')

/** Tickets with an outcome, listed page by page: all of them are met, and nothing else. */
import { expect, test } from '@jest/globals'
import { createClient } from '../../src/client.js'
import { defineEntry } from '../../src/index.js'
import { createWorker } from '../../workers/index.js'
import { everyEngine } from '../support/every-engine.js'

const TASKS = 40
/** More entries than one call looks through. */
const OTHERS = 600
const Other = defineEntry<{ n: number; text: string }>('Other')

everyEngine('tickets with an outcome', (opened) => {
  test('are listed among many other entries', async () => {
    const { space, other } = opened()
    await space.writeAll(Array.from({ length: OTHERS }, (_, n) => Other({ n, text: 'takespace.Ticket' })))
    await using worker = createWorker({ space: other, tasks: { even: (n: number) => n % 2 === 0 } })
    await worker.start()
    const client = createClient({ space })
    const tickets = await Promise.all(Array.from({ length: TASKS }, (_, n) => client.enqueue('even', n)))
    for (const ticket of tickets) await ticket.result()
    // Without an outcome.
    await client.enqueue('nobody has it', 1)
    const found = new Set<string>()
    for (let next: string | null = ''; next !== null; ) {
      const page: Awaited<ReturnType<typeof space.engine.tickets.settled>> = await space.engine.tickets.settled(next)
      for (const { id } of page.tickets) found.add(id)
      next = page.next
    }
    expect([...found].sort()).toEqual(tickets.map(({ id }) => id).sort())
  })
})

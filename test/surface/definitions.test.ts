/** Two definitions of one kind that differ are told to each space, once. */
import { expect, test } from '@jest/globals'
import { z } from 'zod'
import { defineEntry, type Logger, openSpace, ordered } from '../../src/index.js'

/** Opens a space and returns the kinds that it has warned of so far. */
async function warned(): Promise<{ kinds(): unknown[]; close(): Promise<void> }> {
  const kinds: unknown[] = []
  const quiet = (): void => {}
  const warn: Logger['warn'] = (fields, message) => {
    if (message.includes('two definitions')) kinds.push(fields)
  }
  const space = await openSpace('memory:', { logger: { debug: quiet, info: quiet, warn, error: quiet } })
  return { kinds: () => kinds, close: () => space.close() }
}

test('a kind that is defined twice in the same way is no matter', async () => {
  const Base = defineEntry('Base')
  for (let i = 0; i < 2; i++) {
    defineEntry('Same', { index: ['a', ['a', 'b'], ordered('due')], partition: 'a' })
    defineEntry('Typed', { schema: z.object({ a: z.string(), b: z.number() }) })
    Base.extend('More', { index: ['c'] })
  }
  const space = await warned()
  expect(space.kinds()).toEqual([])
  await space.close()
})

test('what differs is named, to a space that is open and to one that is opened later; no more once it is closed', async () => {
  const [first, closed] = [await warned(), await warned()]
  await closed.close()
  defineEntry('Index', { index: ['a'] })
  defineEntry('Index', { index: [ordered('a')] })
  defineEntry('Index', { index: ['b'] })
  defineEntry('Partition', { partition: 'a' })
  defineEntry('Partition', { partition: 'b', index: ['a'] })
  defineEntry('Parent').extend('Child')
  defineEntry('Child')
  defineEntry('Schema')
  defineEntry('Schema', { schema: z.object({ a: z.string() }) })
  const all = [
    { kind: 'Index', differs: ['index'] },
    { kind: 'Partition', differs: ['index', 'partition'] },
    { kind: 'Child', differs: ['extends'] },
    { kind: 'Schema', differs: ['schema'] },
  ]
  expect(first.kinds()).toEqual(all)
  expect(closed.kinds()).toEqual([])
  const later = await warned()
  expect(later.kinds()).toEqual(all)
  await Promise.all([first.close(), later.close()])
})

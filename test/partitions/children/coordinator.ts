/**
 * A process that moves an amount between accounts in several partitions, once for each transfer and all at a time, and
 * stops ahead of the n-th step of each commit. Says `<transfer>: stopped`, or what became of the commit. Argument: JSON
 * of CoordinatorTask.
 */
import { PartitionedEngine } from '../../../src/engines/partitions/index.js'
import { Space } from '../../../src/space.js'
import { membersOnRedis } from '../../support/partitioned.js'
import { stepped } from '../../support/stepped.js'
import { moveAll } from '../accounts.js'

export interface CoordinatorTask {
  readonly urls: readonly string[]
  readonly names: readonly string[]
  readonly transfers: readonly {
    readonly transfer: string
    /** It stops ahead of this step; -1: never. */
    readonly stopAt: number
  }[]
}

const { urls, names, transfers } = JSON.parse(process.argv[2] ?? '') as CoordinatorTask

async function run(transfer: string, stopAt: number): Promise<string> {
  const members = stepped(await membersOnRedis(urls, names), async ({ n }) => {
    if (n !== stopAt) return
    console.log(`${transfer}: stopped`)
    await new Promise(() => {})
  })
  const space = new Space(new PartitionedEngine(members), 'redis')
  const tx = await space.begin({ span: 'all', leaseMs: 30_000 })
  await moveAll(space, tx, transfer)
  console.log(`${transfer}: committing`)
  await tx.commit()
  return 'committed'
}

setInterval(() => {}, 1_000)
for (const { transfer, stopAt } of transfers) {
  run(transfer, stopAt).then(
    (outcome) => console.log(`${transfer}: ${outcome}`),
    (error) => console.log(`${transfer}: refused ${(error as { code?: string }).code}`),
  )
}

/** One operation as a promise, for callers off the hot path. */
import type { Batches } from './batches.js'
import { type Arguments, type Operation, type OperationName, orderedArguments } from './operation.js'

export interface Reply {
  /** One of REPLY. */
  readonly kind: string
  readonly values: readonly Buffer[]
  /** The lease clock of the call that replied. */
  readonly now: number
}

export type AskOptions = Pick<Operation, 'repeatable' | 'redoable' | 'standing' | 'entries' | 'began'>

/** @example const { kind } = await ask(batches, 'cancel', { id }, { repeatable: true }) */
export function ask<N extends OperationName>(
  batches: Pick<Batches, 'add'>,
  name: N,
  named: Arguments<N>,
  options: AskOptions,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const args = orderedArguments(name, named)
    batches.add({
      name,
      args,
      ...options,
      reply: (kind, values, now) => resolve({ kind, values, now }),
      fail: reject,
    })
  })
}

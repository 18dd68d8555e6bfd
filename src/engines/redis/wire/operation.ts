/** Operation: one thing that is asked of the library, by its name and arguments in protocol.ts, and how many of them travel in one call. */
import type { SpaceError } from '../../../errors.js'
import { OPERATIONS } from '../protocol.js'

export type OperationName = keyof typeof OPERATIONS

type Argument = string | Buffer

/** The arguments of an operation by name; `entries` are as `packedEntries` in write.ts makes them. */
export type Arguments<N extends OperationName> = {
  readonly [K in (typeof OPERATIONS)[N]['args'][number]]: K extends 'entries' ? readonly Argument[] : Argument
}

export interface Operation {
  readonly name: OperationName
  /** In the order of protocol.ts. */
  readonly args: readonly Argument[]
  /** Whether it may run again when it cannot be known whether it ran. */
  readonly repeatable: boolean
  /** How many entries it writes; default one at most. */
  readonly entries?: number
  /** Registers something that is registered anew with each link; without a link it fails at once. */
  readonly standing?: boolean
  /** Since when it is asked for, on the monotonic clock, if that was before. */
  readonly began?: number
  /** `kind`: one of REPLY. */
  reply(kind: string, values: readonly Buffer[], now: number): void
  fail(error: SpaceError): void
}

/** Returns the arguments in the order of protocol.ts. */
export function orderedArguments<N extends OperationName>(name: N, named: Arguments<N>): readonly Argument[] {
  const args: Argument[] = []
  for (const each of OPERATIONS[name].args as readonly (keyof Arguments<N>)[]) {
    const value = named[each] as Argument | readonly Argument[]
    if (typeof value === 'string' || Buffer.isBuffer(value)) args.push(value)
    else args.push(...(value as readonly Argument[]))
  }
  return args
}

/** Operations whose first argument is a header that many share. One that has entries may parse their headers in between. */
const SHARES_HEADER: ReadonlySet<string> = new Set(
  Object.entries(OPERATIONS)
    .filter(
      ([, { args }]) => (args as readonly string[])[0] === 'header' && !(args as readonly string[]).includes('entries'),
    )
    .map(([name]) => name),
)

/** Appends operations to a call. Those of one name in a row share the name; a header that is that of the operation before is left out. */
export function appendOperations(call: Argument[], operations: readonly Operation[]): void {
  for (let i = 0; i < operations.length; ) {
    const { name } = operations[i]!
    const sharesHeader = SHARES_HEADER.has(name)
    let end = i + 1
    while (end < operations.length && operations[end]!.name === name) end++
    call.push(name, String(end - i))
    let last: Argument | undefined
    for (; i < end; i++) {
      const { args } = operations[i]!
      if (!sharesHeader) {
        for (let j = 0; j < args.length; j++) call.push(args[j]!)
        continue
      }
      // Every byte of an argument is hashed by the server's Lua.
      call.push(args[0] === last ? '' : args[0]!)
      for (let j = 1; j < args.length; j++) call.push(args[j]!)
      last = args[0]
    }
  }
}

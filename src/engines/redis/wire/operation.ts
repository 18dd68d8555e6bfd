/**
 * Operation: one request to the library, with name and arguments as in protocol.ts, and the encoding of many in one
 * call.
 */
import type { SpaceError } from '../../../errors.js'
import { OPERATIONS } from '../protocol.js'
import { type Argument, Prefixed } from './resp.js'

export type OperationName = keyof typeof OPERATIONS

/** The arguments of an operation by name; `entries` as `Writes.effects()` returns them. */
export type Arguments<N extends OperationName> = {
  readonly [K in (typeof OPERATIONS)[N]['args'][number]]: K extends 'entries' ? readonly Argument[] : Argument
}

export interface Operation {
  readonly name: OperationName
  /** In the order of protocol.ts. */
  readonly args: readonly Argument[]
  /** Can run again if it is unknown whether it ran. */
  readonly repeatable: boolean
  /**
   * Begins nothing outside of the space. So it runs again if a failover lost it from the history of the space, and
   * nobody had been told of it (`replicated:n`).
   */
  readonly redoable?: boolean
  /** Takes its place when it runs again, with the same arguments. */
  readonly again?: OperationName
  /** How many entries it writes; default at most one. */
  readonly entries?: number
  /** Registers something that each new link registers anew; without a link the operation fails at once. */
  readonly standing?: boolean
  /** When the caller began to wait, on the monotonic clock, if that was before add(). */
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
    if (typeof value === 'string' || Buffer.isBuffer(value) || value instanceof Prefixed) args.push(value)
    else for (const argument of value as readonly Argument[]) args.push(argument)
  }
  return args
}

/**
 * Operations whose first argument is a header that many share. Operations with entries are excluded: their entries'
 * headers may be parsed in between.
 */
const SHARES_HEADER: ReadonlySet<string> = new Set(
  Object.entries(OPERATIONS)
    .filter(
      ([, { args }]) => (args as readonly string[])[0] === 'header' && !(args as readonly string[]).includes('entries'),
    )
    .map(([name]) => name),
)

/** Appends operations to a call. Consecutive operations of one name share the name; a repeated header is left out. */
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
      // The server's Lua hashes every byte of an argument.
      call.push(args[0] === last ? '' : args[0]!)
      for (let j = 1; j < args.length; j++) call.push(args[j]!)
      last = args[0]
    }
  }
}

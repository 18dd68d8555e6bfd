/** Engines whose two-phase commits go step by step, so that a test can do something between each two steps. */
import type { TwoPhase } from '../../src/engine/two-phase.js'
import type { Engine } from '../../src/engine.js'

/** One step of a commit: an operation in a partition. */
export interface CommitStep {
  readonly n: number
  readonly name: 'prepare' | 'decide' | 'settle' | 'forget'
  readonly partition: number
}

const STEPS: ReadonlySet<string> = new Set(['prepare', 'decide', 'settle', 'forget'])

type AnyStep = (...args: unknown[]) => Promise<unknown>

/** Returns the members of a space of which this process calls `before` ahead of each step; one step runs at a time. */
export function stepped(members: readonly Engine[], before: (step: CommitStep) => Promise<void>): Engine[] {
  let [n, last]: [number, Promise<unknown>] = [0, Promise.resolve()]
  return members.map((member, partition) => {
    const { twoPhase } = member
    const slow = boundTo(twoPhase!, (name, operation: AnyStep) => {
      if (!STEPS.has(name)) return operation
      return (...args: unknown[]) => {
        const step = last.then(async () => {
          await before({ n: n++, name: name as CommitStep['name'], partition })
          return operation(...args)
        })
        last = step.catch(() => {})
        return step
      }
    })
    return boundTo(member, (name, value) => (name === 'twoPhase' ? slow : value))
  })
}

/** A view of an object whose members are replaced; methods run on the object itself. */
function boundTo<T extends Engine | TwoPhase>(target: T, replaced: (name: string, value: never) => unknown): T {
  return new Proxy(target, {
    get(_, name) {
      const value = Reflect.get(target, name, target)
      const own = typeof value === 'function' ? value.bind(target) : value
      return replaced(String(name), own as never)
    },
  })
}

/** A move to another server: the part of an engine's contract for what is beside the space on its server. */

export interface Move {
  /** True once nothing is left at the old address. */
  readonly hasMoved: boolean
  /** Resolves when the new address has everything. Rejects when the engine closes. */
  arrived(): Promise<void>
  /**
   * Calls `leave` once, when the old address is about to be left: everything waits until it resolves. Returns how to forget
   * it.
   */
  onLeaving(leave: () => Promise<void>): () => void
}

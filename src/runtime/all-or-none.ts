/** All or none: several things are opened at once, and none stays open if one of them fails. */

/**
 * Returns what was opened, in order.
 * @param undo called for each that was opened if one has failed; it is waited for
 * @throws the error of the first that has failed
 */
export async function allOrNone<T>(opening: readonly Promise<T>[], undo: (opened: T) => unknown): Promise<T[]> {
  const settled = await Promise.allSettled(opening)
  const opened = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  const failed = settled.find((each) => each.status === 'rejected')
  if (!failed) return opened
  await Promise.all(opened.map(undo))
  throw failed.reason
}

/** Tells whether a promise is still pending after everything that was under way has been answered. */

/** Returns whether `promise` is unsettled after three round trips. */
export async function pending(promise: Promise<unknown>, roundTrip: () => Promise<unknown>): Promise<boolean> {
  let settled = false
  promise.then(
    () => {
      settled = true
    },
    () => {
      settled = true
    },
  )
  for (let i = 0; i < 3; i++) await roundTrip()
  return !settled
}

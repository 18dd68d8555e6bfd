/** The payload of request/reply: 200 bytes of text, a little different each time, so that a mixed-up reply is noticed. */

const FILLER = 'x'.repeat(200)
let count = 0

export const payload = () => `${++count}:${FILLER}`.slice(0, 200)

/** Sends a payload as `{ text }` and compares the reply. @param ask sends an object and resolves to the reply */
export const echoed = (ask) => async () => {
  const text = payload()
  const reply = await ask({ text })
  if (reply?.text !== text) throw new Error('the reply is not the echo of its request')
}

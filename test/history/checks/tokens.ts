/** The numbers of claims rise: over the run no two are the same, and of one request a later claim has the greater number. */
import type { ClaimLife } from '../requests.js'
import type { Facts } from './index.js'

export function tokensRise({ requests }: Facts): string[] {
  const wrong: string[] = []
  const seen = new Map<string, string>()
  for (const { value, claims } of requests.lives.values()) {
    for (const { claim } of claims) {
      const number = numberOf(claim).join('.')
      const other = seen.get(number)
      if (other !== undefined && other !== claim) wrong.push(`${claim} and ${other} have the same number`)
      seen.set(number, claim)
    }
    const inOrder = [...claims].sort((a, b) => a.grantedAt - b.grantedAt || a.attempt - b.attempt)
    for (let i = 1; i < inOrder.length; i++) {
      const [before, after] = [inOrder[i - 1]!, inOrder[i]!]
      if (isBefore(before, after) && !isLess(numberOf(before.claim), numberOf(after.claim))) {
        wrong.push(`${value} was handed out under ${before.claim}, and later under ${after.claim}`)
      }
    }
  }
  return wrong
}

/** Whether it was granted surely earlier: the space's clock has milliseconds, and an attempt follows the death of the one before. */
const isBefore = (a: ClaimLife, b: ClaimLife): boolean => a.grantedAt < b.grantedAt || a.attempt < b.attempt

/** `id:number.which.nonce`: the number of the call, and which claim of it. */
function numberOf(claim: string): [bigint, number] {
  const [call = '', which = ''] = claim.slice(claim.indexOf(':') + 1).split('.')
  return [BigInt(`0x${call}`), Number(which)]
}

const isLess = ([a, i]: [bigint, number], [b, j]: [bigint, number]): boolean => a < b || (a === b && i < j)

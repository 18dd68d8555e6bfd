/** Suggests a name for a mistyped one. */

/** Returns ` Did you mean port?`; '' if no name is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  let best = ''
  let least = Math.max(2, Math.floor(name.length * 0.4)) + 1
  for (const candidate of known) {
    const steps = distance(name.toLowerCase(), candidate.toLowerCase())
    if (steps < least) [best, least] = [candidate, steps]
  }
  return best && ` Did you mean ${best}?`
}

/** Returns the number of letters to insert, delete or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}

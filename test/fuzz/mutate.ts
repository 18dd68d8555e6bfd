/** Changes of valid bytes, chosen by a generator of numbers. */

/** Pieces that the formats of takespace are made of. */
const PIECES = [
  '\n',
  '\r',
  ' ',
  '\t',
  '|',
  ';',
  '@',
  ':',
  '=',
  '0',
  '-1',
  '1e9',
  '99999999999999999999',
  '{',
  '[',
  '"',
  '\\u0000',
  '%',
  '\0',
  '\xff',
]
const MOST_CHANGES = 4
const LARGEST = 1 << 16

export function mutate(seed: Buffer, other: Buffer, random: () => number, pieces: readonly string[] = PIECES): Buffer {
  let bytes = seed
  const below = (n: number): number => Math.floor(random() * n)
  for (let i = 0; i <= below(MOST_CHANGES); i++) {
    const at = below(bytes.length + 1)
    const rest = bytes.subarray(at)
    const before = bytes.subarray(0, at)
    switch (below(8)) {
      case 0:
        bytes = before
        break
      case 1:
        bytes = rest
        break
      case 2:
        bytes = Buffer.concat([before, Buffer.from(pieces[below(pieces.length)] as string, 'latin1'), rest])
        break
      case 3:
        bytes = Buffer.concat([before, other.subarray(below(other.length + 1)), rest])
        break
      case 4:
        bytes = Buffer.concat([before, rest.subarray(0, below(20)), rest])
        break
      case 5:
        bytes = Buffer.concat([before, Buffer.alloc(below(2_000), pieces[below(pieces.length)], 'latin1'), rest])
        break
      default:
        bytes = Buffer.from(bytes)
        if (bytes.length > 0) bytes[at % bytes.length] = below(256)
    }
  }
  return bytes.subarray(0, LARGEST)
}

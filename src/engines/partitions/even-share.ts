/** Returns the share of the part at `index` if a whole number is divided among `parts`: the first have one more. */
export const evenShare = (whole: number, parts: number, index: number): number =>
  Math.floor(whole / parts) + (index < whole % parts ? 1 : 0)

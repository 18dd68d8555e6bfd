/** The error of a contender that cannot be measured here: left out with its message, not counted as failed. */
export class LeftOut extends Error {}

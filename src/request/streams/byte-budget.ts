/** A number of bytes that all streams of a process share. */

export class ByteBudget {
  readonly most: number
  taken = 0

  constructor(most: number) {
    this.most = most
  }

  get left(): number {
    return this.most - this.taken
  }

  take(bytes: number): void {
    this.taken += bytes
  }

  give(bytes: number): void {
    this.taken -= bytes
  }
}

/** Iteration: an async generator that has more to offer than its items. Nothing runs before the first item is asked for. */

export abstract class Iteration<T> implements AsyncGenerator<T, undefined, undefined> {
  #generator: AsyncGenerator<T, undefined, undefined> | undefined

  /** The generator of the items, which runs once. */
  protected abstract items(): AsyncGenerator<T, undefined, undefined>

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#items().next()
  }

  /** Ends the iteration, as `break` does. */
  return(): Promise<IteratorResult<T, undefined>> {
    return this.#items().return(undefined)
  }

  throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    return this.#items().throw(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #items(): AsyncGenerator<T, undefined, undefined> {
    this.#generator ??= this.items()
    return this.#generator
  }
}

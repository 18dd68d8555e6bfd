/** Path prefixes: a tree of path segments. A search costs one step per segment of a prefix, however many there are. */

const SLASH = 47

interface Node<T> {
  value: T | undefined
  below: Map<string, Node<T>> | undefined
}

const nodeOf = <T>(): Node<T> => ({ value: undefined, below: undefined })

export class PathPrefixes<T> {
  readonly #root = nodeOf<T>()

  /** `prefix` begins with a slash and does not end with one; '' covers every path. */
  set(prefix: string, value: T): void {
    let node = this.#root
    for (const segment of prefix.split('/').slice(1)) {
      node.below ??= new Map()
      let next = node.below.get(segment)
      if (!next) {
        next = nodeOf()
        node.below.set(segment, next)
      }
      node = next
    }
    node.value = value
  }

  /** Returns the value of the longest prefix of a request target, at the border of a segment; its query is no part of it. */
  find(target: string): T | undefined {
    let node: Node<T> | undefined = this.#root
    let found = node.value
    if (!node.below || target.charCodeAt(0) !== SLASH) return found
    const query = target.indexOf('?')
    const end = query < 0 ? target.length : query
    for (let at = 0; at < end && node.below; ) {
      const slash = target.indexOf('/', at + 1)
      const border = slash < 0 || slash > end ? end : slash
      node = node.below.get(target.slice(at + 1, border))
      if (!node) break
      found = node.value ?? found
      at = border
    }
    return found
  }
}

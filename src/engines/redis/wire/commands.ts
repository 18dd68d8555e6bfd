/** What the files beside the connection ask of the Redis client, which only the connection imports. */
export interface Commands {
  info(): Promise<string>
  /** Seconds and microseconds. */
  time(): Promise<number[]>
  call(command: string, ...args: string[]): Promise<unknown>
}

/** The Redis commands that files beside the connection use; only the connection imports the client. */
export interface Commands {
  info(): Promise<string>
  /** Seconds and microseconds. */
  time(): Promise<number[]>
  call(command: string, ...args: string[]): Promise<unknown>
}

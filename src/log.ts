/** The interface of a logger; a pino instance has it. The library logs nothing unless it is given one. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Levels of a log, from the least. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const nothing = (): void => {}

export const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/** Writes down what a (req, res) app hears of the end of each exchange, in the order in which it hears it. */
import type { IncomingMessage, ServerResponse } from 'node:http'

export function watch(req: IncomingMessage, res: ServerResponse, events: string[]): void {
  const { url } = req
  const note = (what: string): void => {
    events.push(`${what} ${url} ${res.statusCode} sent ${res.headersSent} finished ${res.writableFinished}`)
  }
  res.on('finish', () => note('finish'))
  res.on('close', () => note('close'))
  res.on('error', () => note('error'))
  req.on('aborted', () => note('aborted'))
}

/** Reads what a client hears on a connection: HTTP/1.1 responses, one behind the other, and nothing else. */

export interface Heard {
  readonly status: number
  /** The number of the run that made it; undefined for a response of the gateway itself. */
  readonly run: number | undefined
  readonly closes: boolean
}

/**
 * Throws if the text is anything but complete responses. `methodAt` tells the method of the n-th request; undefined for
 * one that may not run, whose refusal may or may not have a body.
 */
export function answersIn(text: string, methodAt: (n: number) => string | undefined): Heard[] {
  const answers: Heard[] = []
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\r\n\r\n', at)
    const head = text.slice(at, end)
    const status = Number(/^HTTP\/1\.1 (\d{3})(?: [^\r\n]*)?\r\n/.exec(`${head}\r\n`)?.[1])
    if (end < 0 || Number.isNaN(status)) throw new Error(`no response at ${at}`)
    at = end + 4
    if (status < 200) continue
    const fieldOf = (name: string): string | undefined => new RegExp(`\r\n${name}: ([^\r\n]*)`, 'i').exec(head)?.[1]
    const length = fieldOf('content-length')
    const method = methodAt(answers.length)
    const isRefusedHead = method === undefined && at === text.length
    const isBodiless = method === 'HEAD' || isRefusedHead || status === 204 || status === 304
    if (!isBodiless && length === undefined) throw new Error(`a response without a length at ${at}`)
    at += isBodiless ? 0 : Number(length)
    if (at > text.length) throw new Error('the last response is not complete')
    const run = fieldOf('x-run')
    const closes = /close/i.test(fieldOf('connection') ?? '')
    answers.push({ status, run: run === undefined ? undefined : Number(run), closes })
  }
  return answers
}

/**
 * An app for fault tests: it takes 50 ms (`ms`) for a request, answers with its pid and so many
 * `bytes`, or throws where nothing catches it (`crash`), and writes each begin and end of one into a ledger that outlives its process.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A line is one small synchronous append: it is in the file before the next thing happens, whatever kills the process after that. */
const SOURCE = `
import { appendFileSync } from 'node:fs'
const ledger = process.env.LEDGER
const note = (what, url) => appendFileSync(ledger, what + ' ' + url + ' ' + process.pid + ' ' + Date.now() + '\\n')
export default (req, res) => {
  const { url } = req
  const query = new URLSearchParams(url.split('?')[1])
  const ms = Number(query.get('ms') ?? 50)
  note('begin', url)
  req.resume()
  setTimeout(() => {
    if (query.has('crash')) throw new Error('a bug')
    note('end', url)
    res.end(String(process.pid).padEnd(Number(query.get('bytes') ?? 0)))
  }, ms)
}
`

/** One execution of a handler. */
export interface Run {
  readonly url: string
  readonly pid: number
  /** Wall clock, ms. */
  readonly begun: number
  readonly ended: number | undefined
}

export interface LedgerApp {
  readonly file: string
  /** Where its processes find the ledger. */
  readonly env: Record<string, string>
  /** All executions so far, as they began. Reads on from where the last look ended, so a look costs little. */
  runs(): readonly Run[]
  /** Those that have begun and not ended, of processes that have died too. */
  open(): readonly Run[]
  remove(): void
}

export function ledgerApp(): LedgerApp {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-app-'))
  const file = join(folder, 'app.mjs')
  const ledger = join(folder, 'ledger')
  writeFileSync(file, SOURCE)
  writeFileSync(ledger, '')
  const chunk = Buffer.alloc(1 << 16)
  let read = 0
  let unread = ''
  const runs: { url: string; pid: number; begun: number; ended: number | undefined }[] = []
  const open = new Map<string, (typeof runs)[number]>()
  const note = (line: string): void => {
    const [what, url = '', pid = '', at = ''] = line.split(' ')
    const key = `${url} ${pid}`
    if (what === 'begin') {
      const run = { url, pid: Number(pid), begun: Number(at), ended: undefined }
      runs.push(run)
      open.set(key, run)
    } else if (what === 'end') {
      const run = open.get(key)
      if (run) run.ended = Number(at)
      open.delete(key)
    }
  }
  const look = (): void => {
    const fd = openSync(ledger, 'r')
    for (;;) {
      const size = readSync(fd, chunk, 0, chunk.length, read)
      if (size === 0) break
      read += size
      unread += chunk.toString('latin1', 0, size)
    }
    closeSync(fd)
    const lines = unread.split('\n')
    unread = lines.pop() as string
    for (const line of lines) note(line)
  }
  return {
    file,
    env: { LEDGER: ledger },
    runs() {
      look()
      return runs
    },
    open() {
      look()
      return [...open.values()]
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

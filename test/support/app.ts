/**
 * An app for fault tests: it takes 50 ms (`ms`) for a request, answers with its pid and so many
 * `bytes`, and writes each begin and end of one into a ledger that outlives its process.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A line is one small synchronous append: it is in the file before the next thing happens, whatever kills the process after that. */
const SOURCE = `
import { appendFileSync } from 'node:fs'
const ledger = process.env.LEDGER
const note = (what, url) => appendFileSync(ledger, what + ' ' + url + ' ' + process.pid + ' ' + Date.now() + '\\n')
export default (req, res) => {
  const { url } = req
  const asked = new URLSearchParams(url.split('?')[1])
  const ms = Number(asked.get('ms') ?? 50)
  const more = '.'.repeat(Number(asked.get('bytes') ?? 0))
  note('begin', url)
  req.resume()
  setTimeout(() => {
    note('end', url)
    res.end(process.pid + more)
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
  /** All executions so far, as they began. */
  runs(): Run[]
  remove(): void
}

export function ledgerApp(): LedgerApp {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-app-'))
  const file = join(folder, 'app.mjs')
  const ledger = join(folder, 'ledger')
  writeFileSync(file, SOURCE)
  writeFileSync(ledger, '')
  return {
    file,
    env: { LEDGER: ledger },
    runs() {
      const runs: { url: string; pid: number; begun: number; ended: number | undefined }[] = []
      const open = new Map<string, (typeof runs)[number]>()
      for (const line of readFileSync(ledger, 'utf8').split('\n')) {
        const [what, url = '', pid = '', at = ''] = line.split(' ')
        const key = `${url} ${pid}`
        if (what === 'begin') {
          const run = { url, pid: Number(pid), begun: Number(at), ended: undefined }
          runs.push(run)
          open.set(key, run)
        } else if (what === 'end') {
          const run = open.get(key)
          if (run) run.ended = Number(at)
        }
      }
      return runs
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

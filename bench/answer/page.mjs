/** The generated part of bench/RESULTS.md: a section per question between markers, made from bench/results. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PAGE = fileURLToPath(new URL('../RESULTS.md', import.meta.url))
const markerOf = (letter, end) => `<!-- ${end ? 'end of ' : ''}answer ${letter}: written by npm run bench -->`

/** Replaces the section of this question. Throws if the page has no markers for it. */
export function writeSection(letter, body) {
  const page = readFileSync(PAGE, 'utf8')
  const [from, to] = [markerOf(letter, false), markerOf(letter, true)]
  const [start, end] = [page.indexOf(from), page.indexOf(to)]
  if (start < 0 || end < start) throw new Error(`bench/RESULTS.md has no place for answer ${letter}: ${from}`)
  writeFileSync(PAGE, `${page.slice(0, start + from.length)}\n\n${body}\n\n${page.slice(end)}`)
}

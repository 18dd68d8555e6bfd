/**
 * Writes the tables of operations and keys into docs/redis.md, from protocol.ts and key-names.ts, the files of examples/deploy into the pages
 * that show them, and docs/faults.svg from bench/FAULTS.md: `npm run tables`. A test compares them.
 */
import { readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { faultsPicture } from '../bench/chart/faults.mjs'
import { readProtocol } from './protocol.mjs'

const self = fileURLToPath(import.meta.url)
const root = fileURLToPath(new URL('..', import.meta.url))
const page = join(root, 'docs', 'redis.md')

function table(heads, rows) {
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i].length)))
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`
  return [line(heads), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n')
}

const code = (text) => `\`${text.replaceAll('|', '\\|')}\``

/** Returns the page with its tables made anew. */
export async function withTables(text) {
  const { OPERATIONS, KEYS } = await readProtocol(join(root, 'src', 'engines', 'redis'))
  const operations = Object.entries(OPERATIONS).map(([name, { args, does }]) => [code(name), args.join(', '), does])
  const keys = Object.values(KEYS).map(({ name, of, type, holds, until }) => [
    code(of === undefined ? name : `${name}<${of}>`),
    type,
    holds.replaceAll('|', '\\|'),
    until,
  ])
  const tables = {
    operations: table(['operation', 'arguments', 'it'], operations),
    keys: table(['key', 'type', 'what', 'until'], keys),
  }
  let result = text
  for (const [name, made] of Object.entries(tables)) {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
    const [from, to] = [result.indexOf(begin), result.indexOf(end)]
    if (from < 0 || to < from) throw new Error(`docs/redis.md has no place for ${name}`)
    result = `${result.slice(0, from + begin.length)}\n\n${made}\n\n${result.slice(to)}`
  }
  return result
}

const INCLUDE = /^<!-- include (\S+) (\w+(?: types)?) -->\n[\s\S]*?^<!-- \/include -->$/gm

/** Returns a page with the files that it shows, as `<!-- include FILE LANGUAGE -->` names them. */
export const withFiles = (text) =>
  text.replace(
    INCLUDE,
    (_, file, language) =>
      `<!-- include ${file} ${language} -->\n\n\`\`\`${language}\n${readFileSync(join(root, file), 'utf8')}\`\`\`\n\n<!-- /include -->`,
  )

if (process.argv[1] && realpathSync(process.argv[1]) === realpathSync(self)) {
  writeFileSync(page, await withTables(readFileSync(page, 'utf8')))
  writeFileSync(join(root, 'docs', 'faults.svg'), faultsPicture(readFileSync(join(root, 'bench', 'FAULTS.md'), 'utf8')))
  const docs = join(root, 'docs')
  for (const name of readdirSync(docs).filter((file) => file.endsWith('.md'))) {
    const text = readFileSync(join(docs, name), 'utf8')
    if (withFiles(text) !== text) writeFileSync(join(docs, name), withFiles(text))
  }
}

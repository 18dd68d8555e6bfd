/** The promises of the space: the names of the tests that hold to them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const SOURCE = 'https://github.com/takespace/takespace/blob/main/test/promises'
const TEST = /\b(?:test|testInOnePartition|testInLongForm)(?:\.each\([\s\S]*?\))?\(\s*(['"`])((?:\\.|(?!\1).)+)\1/g

export function promisesPage(folder) {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.test.ts'))
    .sort()
  const sections = files.map((file) => {
    const text = readFileSync(join(folder, file), 'utf8')
    const about = /^\/\*\*([\s\S]*?)\*\//
      .exec(text)[1]
      .replace(/\n \* ?/g, ' ')
      .trim()
    const names = [...text.matchAll(TEST)].map(([, , name]) => `- ${escaped(name.replace(/\\(.)/g, '$1'))}`)
    const title = file.replace('.test.ts', '').replaceAll('-', ' ')
    return `## ${title[0].toUpperCase()}${title.slice(1)}\n\n[${escaped(about)}](${SOURCE}/${file})\n\n${names.join('\n')}\n`
  })
  const head = `# Promises

Each line is the name of a test. It runs on the engine in memory and on Redis, many also in several partitions, on a
Cluster and behind Sentinels.
`
  return `${head}\n${sections.join('\n')}`
}

/** Text for Markdown that a reader of Vue templates takes as text, too. */
const escaped = (text) => text.replace(/[<>{}[\]*_`|\\]/g, (c) => `&#${c.charCodeAt(0)};`)

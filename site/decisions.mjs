/** The list of decisions, from their headings. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export function decisionsPage(folder) {
  const lines = readdirSync(folder)
    .filter((file) => /^\d{4}-.*\.md$/.test(file))
    .sort()
    .map((file) => {
      const [, title] = /^# (?:\d{4}\.? )?(.+)$/m.exec(readFileSync(join(folder, file), 'utf8'))
      return `- ${file.slice(0, 4)} [${title}](${file})`
    })
  return `# Decisions\n\nWhat was decided, why, and what was measured.\n\n${lines.join('\n')}\n`
}

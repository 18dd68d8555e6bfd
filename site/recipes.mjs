/** The recipes: the programs of examples/, each with what it printed when its test ran it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const SOURCE = 'https://github.com/takespace/takespace/blob/main/examples'

/** Yields the pages with their text, and the page that lists them. */
export function* recipePages(folder) {
  const recipes = readdirSync(folder)
    .filter((file) => file.endsWith('.js'))
    .map((file) => ({ file, ...recipeOf(readFileSync(join(folder, file), 'utf8')) }))
  for (const { file, title, about, code, output } of recipes) {
    const printed = output ? `\n## It prints\n\n\`\`\`text\n${output}\`\`\`\n` : ''
    yield [
      `recipes/${file.replace('.js', '.md')}`,
      `# ${title}\n\n${about}\n\n[examples/${file}](${SOURCE}/${file})\n\n\`\`\`js\n${code}\`\`\`\n${printed}`,
    ]
  }
  const list = recipes.map(({ file, title, about }) => `- [${title}](${file.replace('.js', '.md')}): ${about}`)
  yield [
    'recipes/README.md',
    `# Recipes\n\nPrograms that fit on a screen. Each is run by a test, and prints what its page says.\n\n${list.join('\n')}\n`,
  ]
}

/** The first comment of a program says what it is, the last one what it prints. */
function recipeOf(text) {
  const [head, , comment] = /^(\/\*\*|\/\/) ([^\n]*?)(?:\s*\*\/)?\n/.exec(text).slice(0, 3)
  const [, output] = /\n\/\* Output:\n([\s\S]*)\*\/\n$/.exec(text) ?? []
  const code = text
    .slice(head.length)
    .replace(/\n\/\* Output:\n[\s\S]*$/, '\n')
    .trim()
  const [, title, about] = /^([^:]+): (.*)$/.exec(comment) ?? [undefined, comment, comment]
  return { title, about: about[0].toUpperCase() + about.slice(1), code: `${code}\n`, output }
}

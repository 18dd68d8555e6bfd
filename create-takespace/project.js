/** Writes a new project: the templates of the choice, and its package.json. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ChoiceError } from './choice.js'
import { manifestOf } from './manifest.js'

const TEMPLATES = fileURLToPath(new URL('templates', import.meta.url))

/** npm leaves files of these names out of a package, or renames them. */
const DOTTED = new Map([
  ['gitignore', '.gitignore'],
  ['dockerignore', '.dockerignore'],
])

/**
 * Writes the project.
 * @returns its folder
 * @throws ChoiceError if the folder has files
 */
export function writeProject(choice) {
  if (!isEmpty(choice.folder)) throw new ChoiceError(`${choice.folder} is not empty: choose another folder.`)
  for (const [file, text] of filesOf(choice)) {
    const path = join(choice.folder, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  return choice.folder
}

/** Version control may be there first. */
function isEmpty(folder) {
  try {
    return readdirSync(folder).every((name) => name === '.git')
  } catch (error) {
    if (error.code === 'ENOENT') return true
    if (error.code === 'ENOTDIR') throw new ChoiceError(`${folder} is a file: choose another folder.`)
    throw error
  }
}

/** Returns the files of a project with their text. */
function filesOf(choice) {
  const files = new Map([['package.json', `${JSON.stringify(manifestOf(choice), null, 2)}\n`]])
  for (const template of ['shared', choice.framework]) {
    for (const file of templateFiles(join(TEMPLATES, template))) {
      if (!isOf(file, choice.language)) continue
      const text = readFileSync(join(TEMPLATES, template, file), 'utf8')
      files.set(DOTTED.get(file) ?? file, filledIn(text, choice))
    }
  }
  return files
}

const templateFiles = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )

/** Programs are there in both languages; all other files are of both. */
function isOf(file, language) {
  if (file === 'tsconfig.json') return language === 'ts'
  return !/\.(ts|js)$/.test(file) || file.endsWith(`.${language}`)
}

const filledIn = (text, { name, language }) => text.replaceAll('{{name}}', name).replaceAll('{{language}}', language)

#!/usr/bin/env node
/** npm create takespace: makes a new project from what it is given, and asks for the rest at a terminal. */
import { relative } from 'node:path'
import { parseArgs } from 'node:util'
import { asked } from './asked.js'
import { ChoiceError, chosen, DEFAULTS, FRAMEWORKS, LANGUAGES } from './choice.js'
import { writeProject } from './project.js'

const USAGE = `Usage: npm create takespace [folder] -- [options]

  --framework NAME   ${FRAMEWORKS.join(', ')}; default ${DEFAULTS.framework}
  --language NAME    ${LANGUAGES.join(', ')}; default ${DEFAULTS.language}
  --takespace SPEC   version, tag or path of takespace; default ${DEFAULTS.takespace}
  --yes              asks nothing
  --help`

const OPTIONS = {
  framework: { type: 'string' },
  language: { type: 'string' },
  takespace: { type: 'string' },
  yes: { type: 'boolean' },
  help: { type: 'boolean' },
}

async function main() {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true })
  if (values.help) return console.log(USAGE)
  if (positionals.length > 1) throw new ChoiceError(`One folder is created at a time; got ${positionals.join(', ')}.`)
  const { yes, ...given } = { folder: positionals[0], ...values }
  const isAsking = !yes && process.stdin.isTTY && process.stdout.isTTY
  const choice = chosen(isAsking ? await asked(given) : given)
  const folder = writeProject(choice)
  const place = relative(process.cwd(), folder) || '.'
  console.log(`
Created ${choice.name} in ${place}. Next:

${place === '.' ? '' : `  cd ${place}\n`}  npm install
  npm run dev      serves on http://127.0.0.1:8080, without Redis
  npm test

README.md there says how to run it with Redis, and in containers.`)
}

try {
  await main()
} catch (error) {
  const isUsage = error instanceof ChoiceError || String(error?.code).startsWith('ERR_PARSE_ARGS')
  console.error(isUsage ? `${error.message}\n\n${USAGE}` : error)
  process.exitCode = 1
}

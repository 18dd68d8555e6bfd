#!/usr/bin/env node
/** The `takespace` command: its subcommands and exit codes. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { addCommands, addConfig } from './commands.js'
import { addAccess } from './settings/access.js'
import { prepare } from './settings/precedence.js'

const packageJson = new URL('../../../package.json', import.meta.url)

/** Usage: the command line is invalid. Failure: the command failed. */
const EXIT_USAGE = 2
const EXIT_FAILURE = 1

/** Commander writes its suggestion on a second line. */
const oneLine = (text: string): string =>
  text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')

const program = new Command('takespace')
  .description('Distributes requests over workers through a tuple space: workers take what they have room for.')
  .version(JSON.parse(readFileSync(packageJson, 'utf8')).version)
  .configureOutput({ outputError: (text, write) => write(`takespace: ${oneLine(text)}\n`) })
  .exitOverride()

addCommands(program)
addAccess(program)
addConfig(program)
prepare(program)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE
  } else {
    const { describeWhere } = await import('./failure.js')
    process.stderr.write(`takespace: ${describeWhere(error)}\n`)
    // An app file that failed may have opened something that keeps the process alive.
    process.exit(EXIT_FAILURE)
  }
}

/** `takespace config`: the settings in effect, each with its source. */
import type { Command, Option } from 'commander'
import { masked } from '../failure.js'
import { settingsOf } from '../settings/precedence.js'
import { settingText } from '../settings/schema.js'

interface Setting {
  readonly name: string
  readonly value: unknown
  readonly from: string
}

export function config(command: Command): void {
  const settings = settingsOf(command).map((option) => settingOf(command, option))
  process.stdout.write(command.opts().json ? `${JSON.stringify(settings, null, 2)}\n` : table(settings))
}

function settingOf(command: Command, option: Option): Setting {
  const name = option.attributeName()
  const value = command.getOptionValue(name) ?? null
  return { name, value: typeof value === 'string' ? masked(value) : value, from: fromWhere(command, option) }
}

function fromWhere(command: Command, option: Option): string {
  const source = command.getOptionValueSource(option.attributeName()) ?? 'default'
  if (source === 'cli') return option.long ?? source
  return source === 'env' ? (option.envVar ?? source) : source
}

function table(settings: readonly Setting[]): string {
  const rows = [
    ['setting', 'value', 'from'],
    ...settings.map(({ name, value, from }) => [name, settingText(value ?? '-'), from]),
  ]
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => `${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}\n`).join('')
}

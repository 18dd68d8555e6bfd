/** The precedence of settings: flag, environment, config file, default. */
import { type Command, InvalidArgumentError, type Option } from 'commander'
import { didYouMean } from '../../errors/did-you-mean.js'
import { logLevelOption } from '../settings.js'
import { findConfig } from './config-file.js'
import { boolean } from './schema.js'

/** Options of a single call are not settings. */
const NO_SETTINGS = [
  'config',
  'json',
  'waitMs',
  'leaseMs',
  'priority',
  'max',
  'wait',
  'delay',
  'attempts',
  'backoff',
  'user',
  'load',
  'key',
]

/**
 * Variables that Kubernetes sets in pods beside services with names like takespace; `TAKESPACE_ADMIN_PORT` may be one.
 */
const OF_KUBERNETES = /_(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$/
const ADDRESS_OF_KUBERNETES = /^(tcp|udp|sctp):\/\//

const isForeign = (variable: string, value = ''): boolean =>
  // Used by the tests of takespace.
  variable === 'TAKESPACE_REDIS_DIRS' || OF_KUBERNETES.test(variable) || ADDRESS_OF_KUBERNETES.test(value)

/** Commands that run the code of the current folder in any case, or serve what does. */
const RUNS_CODE: ReadonlySet<string> = new Set(['dev', 'gateway', 'worker', 'scheduler'])

export const settingsOf = (command: Command): readonly Option[] =>
  command.options.filter((option) => !NO_SETTINGS.includes(option.attributeName()))

/** Returns all commands, including nested ones such as `dead ls`. */
const commandsOf = (program: Command): Command[] =>
  program.commands.flatMap((command) => [command, ...commandsOf(command)])

/** Adds to every command a config file, a log level, and a variable of the environment for each setting. */
export function prepare(program: Command): void {
  for (const command of commandsOf(program)) {
    command.addOption(logLevelOption())
    if (!isHidden(command))
      command.option('--config <file>', 'settings in a file (default: takespace.config.{js,mjs,ts,json})')
    for (const option of settingsOf(command)) option.envVar ??= variableOf(option)
  }
  // An empty variable is how compose files unset one.
  for (const variable of variables(program)) if (process.env[variable] === '') delete process.env[variable]
  program.hook('preAction', (_program, command) => settle(program, command))
}

async function settle(program: Command, command: Command): Promise<void> {
  applyEnvironment(command)
  const { REDIS_URL } = process.env
  if (REDIS_URL && isDefault(command, 'url')) command.setOptionValueWithSource('url', REDIS_URL, 'REDIS_URL')
  // Worker processes are configured by their supervisor.
  if (!isHidden(command)) {
    refuseUnknownVariables(program, command)
    await applyConfig(program, command)
  }
  // For the logger, and for child processes.
  const { logLevel, release, hostName } = command.opts()
  process.env.LOG_LEVEL = logLevel
  if (release) process.env.TAKESPACE_RELEASE = release
  if (hostName) process.env.TAKESPACE_HOST_NAME = hostName
}

function refuseUnknownVariables(program: Command, command: Command): void {
  const known = variables(program)
  const unknown = Object.keys(process.env).find(
    (name) => name.startsWith('TAKESPACE_') && !isForeign(name, process.env[name]) && !known.has(name),
  )
  if (!unknown) return
  // PORT and LOG_LEVEL have no prefix: hosting platforms set them.
  const bare = unknown.replace('TAKESPACE_', '')
  const hint = known.has(bare) ? ` Did you mean ${bare}?` : didYouMean(unknown, known)
  command.error(`error: the environment has an unknown setting ${unknown}.${hint}`)
}

/** Commander reads only variables that an option had when it was added. */
function applyEnvironment(command: Command): void {
  for (const option of settingsOf(command)) {
    const name = option.attributeName()
    const value = process.env[option.envVar ?? '']
    if (value === undefined || isForeign('', value) || !isDefault(command, name)) continue
    const found = read(command, option, value, `the environment's ${option.envVar}`)
    // TAKESPACE_NO_RELOAD negates the setting `reload`.
    command.setOptionValueWithSource(name, option.negate ? !found : found, 'env')
  }
}

async function applyConfig(program: Command, command: Command): Promise<void> {
  // A command with subcommands takes the option from them.
  const named: string | undefined = command.optsWithGlobals().config ?? process.env.TAKESPACE_CONFIG
  const config = await findConfig(named, RUNS_CODE.has(command.name())).catch((error: Error) =>
    command.error(`error: ${error.message}`),
  )
  if (!config) return
  if ('notExecuted' in config) {
    const { notExecuted: file } = config
    const { outputError } = command.configureOutput()
    const note = `${file} is code, and not executed by ${command.name()}: to use its settings, add --config ${file}.`
    outputError?.(note, (text) => void process.stderr.write(text))
    return
  }
  const { file, settings } = config
  // One file serves all commands; each takes its own settings.
  const known = new Set(commandsOf(program).flatMap((each) => settingsOf(each).map((option) => option.attributeName())))
  for (const name of settings.keys()) {
    if (!known.has(name)) command.error(`error: ${file} has an unknown setting ${name}.${didYouMean(name, known)}`)
  }
  for (const option of settingsOf(command)) {
    const name = option.attributeName()
    const value = settings.get(name)
    if (value === undefined || !isDefault(command, name)) continue
    command.setOptionValueWithSource(name, read(command, option, value, `${name} in ${file}`), file)
  }
}

function read(command: Command, option: Option, value: string, where: string): unknown {
  try {
    if (option.negate || option.isBoolean()) return boolean(value)
    return option.parseArg ? option.parseArg(value, undefined) : value
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    return command.error(`error: ${where} is invalid: '${value}'. ${error.message}`)
  }
}

const isHidden = (command: Command): boolean => command.name().endsWith('-process')

const isDefault = (command: Command, name: string): boolean => {
  const has = command.options.some((option) => option.attributeName() === name)
  return has && ['default', undefined].includes(command.getOptionValueSource(name))
}

const variableOf = (option: Option): string => `TAKESPACE_${option.name().replaceAll('-', '_').toUpperCase()}`

const variables = (program: Command): Set<string> =>
  new Set([
    'TAKESPACE_CONFIG',
    ...commandsOf(program).flatMap((command) => settingsOf(command).flatMap(({ envVar }) => envVar ?? [])),
  ])

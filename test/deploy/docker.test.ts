/** examples/deploy/docker: the images have no root, no shell and an init; the services of compose.yaml may do little and get their time. */
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import { DockerfileParser, type Instruction } from 'dockerfile-ast'
import { load } from 'js-yaml'
import { commandOf, testWith } from '../support/programs.js'
import { textOf } from '../support/repository.js'
import { scratch } from '../support/scratch.js'
import { type CommandLine, longestStopMs, unknownFlags } from './commands.js'

const FOLDER = 'examples/deploy/docker'
const FILES = ['Dockerfile', 'Dockerfile.distroless'] as const
const { folder, write } = scratch('docker')

/** The vector of an instruction, behind its flags. Throws if it is in the form of a shell. */
const vectorOf = (instruction: Instruction | undefined): string[] =>
  JSON.parse(/\[.*\]\s*$/s.exec(instruction?.getRawArgumentsContent()?.replaceAll('\\\n', '') ?? '')?.[0] ?? '')

describe.each(FILES)('%s', (name) => {
  const all = DockerfileParser.parse(textOf(`${FOLDER}/${name}`)).getInstructions()
  const of = (keyword: string): Instruction[] => all.filter((each) => each.getKeyword() === keyword)
  const textsOf = (keyword: string): string[] => of(keyword).map((each) => each.getRawArgumentsContent() ?? '')
  const last = all.findLastIndex((each) => each.getKeyword() === 'FROM')
  const inLast = (keyword: string): Instruction[] => all.slice(last).filter((each) => each.getKeyword() === keyword)

  test('has a stage for packages, bases with a version, and no secret', () => {
    expect(of('FROM').length).toBe(2)
    for (const arg of textsOf('ARG')) expect(arg).toMatch(/^\w+_IMAGE=\S+:(?!latest)\S+$/)
    for (const from of textsOf('FROM')) expect(from).toMatch(/^\$\{\w+_IMAGE\}/)
    expect(inLast('RUN').filter((each) => /npm|curl|wget/.test(each.getRawArgumentsContent()!))).toEqual([])
    expect(of('ADD')).toEqual([])
    expect([...textsOf('ENV'), ...textsOf('ARG')].join()).not.toMatch(/password|secret|token/i)
  })

  test('runs as a user with a number that is not root, below tini, without a shell', async () => {
    expect(inLast('USER').map((each) => each.getRawArgumentsContent())).toEqual(['1000:1000'])
    expect(all.indexOf(inLast('USER')[0]!)).toBeLessThan(all.indexOf(of('ENTRYPOINT')[0]!))
    const [tini, dashes, node, program] = vectorOf(of('ENTRYPOINT')[0])
    expect([tini, dashes, program]).toEqual(['/usr/bin/tini', '--', 'node_modules/takespace/dist/src/cli/main.js'])
    expect(node).toMatch(/^(\/nodejs\/bin\/)?node$/)
    expect(await unknownFlags(vectorOf(of('CMD')[0]))).toEqual([])
    const [itsNode, itsProgram, ...check] = vectorOf(of('HEALTHCHECK')[0])
    expect([itsNode, itsProgram]).toEqual([node, program])
    expect(check).toEqual(['healthcheck', '--admin-port', '9090'])
    expect(await unknownFlags(check)).toEqual([])
  })
})

test('.dockerignore keeps packages of the machine, history and secrets out', () => {
  const lines = textOf(`${FOLDER}/.dockerignore`).split('\n')
  expect(lines).toEqual(expect.arrayContaining(['.git', 'node_modules', '**/.env*', '**/*.pem', '**/*.key', 'secrets']))
})

interface ComposeService {
  readonly image: string
  readonly command?: CommandLine
  readonly user: string
  readonly read_only: boolean
  readonly cap_drop: readonly string[]
  readonly security_opt: readonly string[]
  readonly networks: readonly string[]
  readonly ports?: readonly string[]
  readonly secrets?: readonly string[]
  readonly volumes?: readonly string[]
  readonly stop_grace_period?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}
/** The roles of commands that are not named as their role. */
const ROLES: Readonly<Record<string, string>> = { load: 'loader', dashboard: 'observer' }

/** Resolves merge keys, which YAML 1.2 has no more and Compose has. */
function withMerged<T extends object>({ '<<': base, ...own }: T & { '<<'?: T }): T {
  return { ...(base && withMerged(base)), ...own } as T
}

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
  readonly volumes: object
  readonly secrets: object
}

describe('compose.yaml', () => {
  const { networks, secrets, volumes, ...rest } = load(textOf(`${FOLDER}/compose.yaml`)) as Compose
  const all = Object.entries(rest.services).map(([name, service]) => [name, withMerged(service)] as const)
  const services = Object.fromEntries(all)
  const ours = Object.entries(services).filter(([, { image }]) => image === 'shop')

  test.each(Object.entries(services))('%s may do little', (_name, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
    expect(Number(service.user.split(':')[0])).toBeGreaterThan(0)
    expect(service.image).toMatch(/^(shop|\S+:(?!latest)\S+)$/)
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/)
    for (const name of service.networks) expect(Object.keys(networks)).toContain(name)
    for (const name of service.secrets ?? []) expect(Object.keys(secrets)).toContain(name)
    for (const volume of service.volumes ?? []) {
      const [from = '', , mode] = volume.split(':')
      if (!from.startsWith('.')) expect(Object.keys(volumes)).toContain(from)
      else expect([textOf(`${FOLDER}/${from}`).length > 0, mode]).toEqual([true, 'ro'])
    }
  })

  test.each(ours)(
    '%s: its command is known, a stop has its time, and its user has the password of its role',
    async (_name, service) => {
      const command = service.command!
      expect(await unknownFlags(command)).toEqual([])
      const grace = Number.parseInt(service.stop_grace_period ?? '10', 10) * 1_000
      if (['gateway', 'worker'].includes(command[0]!)) expect(grace).toBeGreaterThan(longestStopMs(command))
      const role = ROLES[command[0]!] ?? command[0]!
      expect(service.environment).toEqual({
        TAKESPACE_URL: `redis://${role}@redis:6379`,
        TAKESPACE_PASSWORD_FILE: `/run/secrets/${role}`,
      })
      expect(service.secrets).toContain(role)
      for (const name of Object.keys(service.depends_on!)) expect(Object.keys(services)).toContain(name)
    },
  )

  test('Redis is on the inner network alone', () => {
    expect(networks.inside).toEqual({ internal: true })
    expect([services.redis!.networks, services.redis!.ports]).toEqual([['inside'], undefined])
  })

  test('the dashboard only reads, and its users are a secret of its own', () => {
    const { command, secrets: own } = services.dashboard!
    const file = command![command!.indexOf('--dashboard-users') + 1]!
    expect(own!.map((name) => `/run/secrets/${name}`)).toContain(file)
    expect(command).toContain('--dashboard-read-only')
    expect(ours.filter(([, { secrets: names = [] }]) => names.includes('dashboard_users')).length).toBe(1)
  })

  testWith(['promtool'], 'promtool accepts its prometheus.yaml', async () => {
    const file = write('prometheus.yaml', textOf(`${FOLDER}/prometheus.yaml`))
    for (const name of ['rules.yaml', 'alerts.yaml']) write(name, textOf(`examples/deploy/observability/${name}`))
    const { status, stdout } = spawnSync(commandOf('promtool'), ['check', 'config', file], {
      cwd: folder,
      encoding: 'utf8',
    })
    expect([status, stdout]).toEqual([0, expect.stringContaining('SUCCESS')])
  })
})

/** examples/deploy/systemd: the units are valid, may do little, and give a stop the time that it takes. */
import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { MEMORY_ONLY } from '../support/redis.js'
import { pathOf, textOf } from '../support/repository.js'
import { scratch } from '../support/scratch.js'
import { longestStopMs, unknownFlags } from './commands.js'

const FOLDER = 'examples/deploy/systemd'
const files = readdirSync(pathOf(FOLDER))
const services = files.filter((name) => name.endsWith('.service'))
const { folder, write } = scratch('units')

/** Tenths of the exposure that systemd-analyze computes: 0 is none, 100 is all. */
const MOST_EXPOSURE = 20

/** An instance of a template, or the unit itself. */
const unitOf = (name: string): string => join(folder, name.replace('@.', '@web.'))

/** The files of this machine in place of those of the example. */
const here = (text: string): string =>
  text
    .replace('/srv/app/node_modules/.bin/takespace', `${process.execPath} ${pathOf('dist/src/cli/main.js')}`)
    .replaceAll('/srv/app', folder)

for (const name of files) {
  write(name, here(textOf(`${FOLDER}/${name}`)))
  writeFileSync(unitOf(name), here(textOf(`${FOLDER}/${name}`)))
}

const analyze = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

const settingsOf = (name: string): Map<string, string> =>
  new Map([...textOf(`${FOLDER}/${name}`).matchAll(/^(\w+)=(.*)$/gm)].map(([, key, value]) => [key!, value!]))

const describeWithSystemd = !MEMORY_ONLY && analyze('--version').status === 0 ? describe : describe.skip

describeWithSystemd('systemd-analyze', () => {
  test.each(files)('verify: %s', (name) => {
    expect(analyze('verify', '--man=no', unitOf(name))).toEqual({ status: 0, output: '' })
  })

  test('verify refuses a unit that is not valid', () => {
    const broken = write(
      'broken.service',
      here(textOf(`${FOLDER}/${services[0]}`)).replace('KillMode=mixed', 'KillMode=some'),
    )
    expect(analyze('verify', '--man=no', broken).output).toMatch(/kill mode/i)
  })

  test.each(services)('security: %s', (name) => {
    const { status, output } = analyze('security', '--offline=yes', `--threshold=${MOST_EXPOSURE}`, unitOf(name))
    expect([status, output]).toEqual([0, expect.stringMatching(/Overall exposure level/)])
  })
})

describe.each(services)('%s', (name) => {
  const settings = settingsOf(name)
  const command = settings.get('ExecStart')!.split(' ').slice(1)

  test('knows the flags of its command, and gives a stop its time', async () => {
    expect(await unknownFlags(command)).toEqual([])
    expect(Number(settings.get('TimeoutStopSec')) * 1_000).toBeGreaterThan(longestStopMs(command))
  })

  test('has the settings without which takespace would lose requests, or Node.js would not start', () => {
    expect(Object.fromEntries(settings)).toMatchObject({ Type: 'notify', NotifyAccess: 'all', KillMode: 'mixed' })
    expect(settings.has('MemoryDenyWriteExecute')).toBe(false)
  })
})

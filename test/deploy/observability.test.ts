/** examples/deploy/observability: rules, dashboard and runbooks are those of this release, valid and unit-tested. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { parser } from '@prometheus-io/lezer-promql'
import { load } from 'js-yaml'
import { createGateway } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import { createWorker } from '../../workers/index.js'
import { commandOf, testWith } from '../support/programs.js'
import { pathOf, textOf } from '../support/repository.js'
import { type Dashboard, panelsOf } from './panels.js'

const FOLDER = 'examples/deploy/observability'

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert?: string; readonly expr: string }[] }[]
}
interface UnitTests {
  readonly tests: readonly {
    readonly alert_rule_test: readonly { alertname: string; exp_alerts: readonly object[] }[]
  }[]
}

const run = (command: string, args: readonly string[], input?: string): [number | null, string] => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: pathOf(FOLDER), encoding: 'utf8', input })
  return [status, stdout + stderr]
}
const rulesOf = (file: string) => (load(textOf(`${FOLDER}/${file}`)) as Rules).groups.flatMap(({ rules }) => rules)
const alerts = rulesOf('alerts.yaml').map(({ alert }) => alert!)

test('the files are as generate.mjs writes them, with the metrics of the source', () => {
  expect(run(process.execPath, ['generate.mjs', '--check'])).toEqual([0, ''])
})

test('each alert has a runbook, and a case in which it fires and one in which it does not', () => {
  const pages = readdirSync(pathOf(`${FOLDER}/runbooks`)).map((name) => name.replace(/\.md$/, ''))
  expect(pages.sort()).toEqual([...alerts].sort())
  const { tests } = load(textOf(`${FOLDER}/tests.yaml`)) as UnitTests
  const cases = tests.flatMap(({ alert_rule_test }) => alert_rule_test)
  for (const alert of alerts) {
    const counts = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts }) => exp_alerts.length)
    expect([alert, counts.sort()]).toEqual([alert, [0, 1]])
  }
})

test('every query of the dashboard and every rule is valid PromQL', () => {
  const dashboard = JSON.parse(textOf(`${FOLDER}/dashboard.json`)) as Dashboard
  const queries = panelsOf(dashboard).flatMap(({ queries }) => queries)
  const all = [...queries, ...[...rulesOf('rules.yaml'), ...rulesOf('alerts.yaml')].map(({ expr }) => expr)]
  expect(all.length).toBeGreaterThan(60)
  const isBroken = (expr: string): boolean => {
    let broken = false
    parser.parse(expr.replaceAll('$__rate_interval', '1m')).iterate({
      enter: ({ type }) => {
        broken ||= type.isError
      },
    })
    return broken
  }
  expect(isBroken('sum by (a (b)')).toBe(true)
  expect(all.filter(isBroken)).toEqual([])
})

testWith(['promtool'], 'promtool accepts rules and configuration, and the unit tests pass', async () => {
  const promtool = commandOf('promtool')
  expect(run(promtool, ['check', 'rules', '--lint-fatal', 'rules.yaml', 'alerts.yaml'])[0]).toBe(0)
  expect(run(promtool, ['check', 'config', 'prometheus.yaml'])).toEqual([0, expect.stringContaining('SUCCESS')])
  expect(run(promtool, ['test', 'rules', 'tests.yaml'])).toEqual([0, expect.stringContaining('SUCCESS')])
})

testWith(['promtool'], 'promtool finds nothing to say about /metrics', async () => {
  await using space = await openSpace('memory:')
  const gateway = createGateway({ space, port: 0, admin: { port: 0 } })
  const worker = createWorker({ space, app: (_req, res) => void res.end(), admin: { port: 0 } })
  await Promise.all([gateway.start(), worker.start()])
  await fetch(gateway.url, { headers: { connection: 'close' } })
  for (const { adminUrl } of [gateway, worker]) {
    const text = await (await fetch(`${adminUrl}/metrics`, { headers: { connection: 'close' } })).text()
    const own = run(commandOf('promtool'), ['check', 'metrics'], text)[1]
      .split('\n')
      .filter((line) => /^takespace_/.test(line))
    expect(own).toEqual([])
  }
})

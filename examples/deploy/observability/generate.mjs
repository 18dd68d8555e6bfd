/**
 * Writes alerts.yaml, rules.yaml, tests.yaml and dashboard.json: `node examples/deploy/observability/generate.mjs`.
 * Names of metrics come from the source, so that a metric that is renamed fails here. `--check` compares and writes nothing.
 * `--times 5m=20s,1h=3s --into FOLDER` writes the rules alone, with other durations: a test has no hour.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { dump } from 'js-yaml'
import { alerts, recordings } from './alerts.mjs'
import { rows } from './dashboard.mjs'

const RUNBOOKS = 'https://github.com/takespace/takespace/blob/main/examples/deploy/observability/runbooks'
const BY = 'Written by generate.mjs: change alerts.mjs or dashboard.mjs instead.'

const options = { check: { type: 'boolean' }, into: { type: 'string' }, times: { type: 'string', default: '' } }
const { check, into, times } = parseArgs({ options }).values
const otherTimes = new Map(times.split(',').map((pair) => pair.split('=')))
const timed = (text) => text.replace(/\b\d+[smh]\b/g, (time) => otherTimes.get(time) ?? time)

const annotationsOf = ({ name, summary, description }) => ({
  summary,
  description,
  runbook_url: `${RUNBOOKS}/${name}.md`,
})

const ruleOf = (alert) => ({
  alert: alert.name,
  expr: timed(alert.expr),
  ...(alert.hold === '0s' ? {} : { for: timed(alert.hold) }),
  labels: { severity: alert.severity },
  annotations: annotationsOf(alert),
})

/** A template as Prometheus fills it in for a case. */
const filled = (text, { labels = {}, value = '' }) =>
  text.replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label) => labels[label]).replace(/\{\{ \$value[^}]*\}\}/g, value)

function testsOf(alert) {
  const { name, severity, labels = {}, fires, quiet, at: eval_time = '30m' } = alert
  const annotations = Object.entries(annotationsOf(alert)).map(([key, text]) => [key, filled(text, alert)])
  const fired = { exp_labels: { severity, ...labels }, exp_annotations: Object.fromEntries(annotations) }
  const test = (what, input_series, exp_alerts) => ({
    name: `${name} ${what}`,
    interval: '1m',
    input_series,
    alert_rule_test: [{ eval_time, alertname: name, exp_alerts }],
  })
  return [test('fires', fires, [fired]), test('is quiet', quiet, [])]
}

const DATASOURCE = { type: 'prometheus', uid: '$datasource' }
const [WIDTH, HEIGHT, PER_ROW] = [8, 7, 3]

function dashboard() {
  const panels = []
  let y = 0
  for (const [title, ...list] of rows) {
    panels.push({
      type: 'row',
      id: panels.length + 1,
      title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: 24, h: 1 },
      panels: [],
    })
    for (const [i, { title: name, unit, queries }] of list.entries()) {
      const gridPos = { x: (i % PER_ROW) * WIDTH, y: y + Math.floor(i / PER_ROW) * HEIGHT, w: WIDTH, h: HEIGHT }
      panels.push({
        type: 'timeseries',
        id: panels.length + 1,
        title: name,
        datasource: DATASOURCE,
        gridPos,
        fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
        options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } },
        targets: queries.map(({ expr, legend }, k) => ({
          refId: String.fromCharCode(65 + k),
          datasource: DATASOURCE,
          expr,
          legendFormat: legend,
        })),
      })
    }
    y += Math.ceil(list.length / PER_ROW) * HEIGHT
  }
  const datasource = { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' }
  return {
    title: 'takespace',
    uid: 'takespace',
    description: 'Requests, workers and the space of takespace.',
    tags: ['takespace'],
    schemaVersion: 38,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: { list: [datasource] },
    panels,
  }
}

/** Returns the texts of the files, by name. */
function files() {
  const yaml = (head, content) => `# ${head}\n# ${BY}\n\n${dump(content, { lineWidth: 120, noRefs: true })}`
  const checked =
    'Validated and unit-tested by promtool, and seen to fire under real faults: test/deploy/alerts.test.ts.'
  const groups = [
    { name: 'takespace-recordings', rules: recordings.map(({ record, expr }) => ({ record, expr: timed(expr) })) },
    { name: 'takespace', rules: alerts.map(ruleOf) },
  ]
  return {
    'rules.yaml': yaml(`Recording rules of Prometheus. ${checked}`, {
      groups: groups.slice(0, 1),
    }),
    'alerts.yaml': yaml(`Alerts of Prometheus. ${checked}`, {
      groups: groups.slice(1),
    }),
    'tests.yaml': yaml(
      'Unit tests of the alerts: promtool test rules tests.yaml. Run by test/deploy/observability.test.ts.',
      {
        rule_files: ['rules.yaml', 'alerts.yaml'],
        // Each evaluation of each case costs; a condition that must last is seen at two of them.
        evaluation_interval: '5m',
        tests: alerts.flatMap(testsOf),
      },
    ),
    '../kubernetes/overlays/monitoring/prometheus-rule.yaml': yaml(
      'The rules of observability/ for the Prometheus Operator. Validated by test/deploy/kubernetes.test.ts.',
      {
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'PrometheusRule',
        metadata: { name: 'takespace' },
        spec: { groups },
      },
    ),
    'dashboard.json': `${JSON.stringify(dashboard(), null, 2)}\n`,
  }
}

const placeOf = (name) => new URL(name, import.meta.url)
const all = Object.entries(files())
if (into) {
  for (const [name, text] of all.filter(([name]) => /^(rules|alerts)\.yaml$/.test(name)))
    writeFileSync(join(into, name), text)
} else if (check) {
  const stale = all.filter(([name, text]) => readFileSync(placeOf(name), 'utf8') !== text).map(([name]) => name)
  if (stale.length > 0) throw new Error(`${stale.join(', ')}: not as generate.mjs writes them; run it`)
} else for (const [name, text] of all) writeFileSync(placeOf(name), text)

/**
 * The alerts, each with a case in which it fires and one in which it does not; generate.mjs writes them. What every process shows
 * alike (what is in the space) is read with `max`, not `sum`.
 */
import { metric as m, SELECTOR } from './metrics.mjs'

const rate = (selector, within = '5m') => `rate(${selector}[${within}])`
const increase = (selector, within = '15m') => `increase(${selector}[${within}])`

/** A series of a case: its name and labels, and its values, one a minute: `1x20` stays 1, `0+1x20` rises. */
const series = (name, labels, values) => {
  const selector = m(name).replace(`{${SELECTOR}}`, '')
  const all = { job: 'takespace', instance: 'a:9090', ...labels }
  const list = Object.entries(all).map(([label, value]) => `${label}="${value}"`)
  return {
    series: `${selector}{${list.join(', ')}}`,
    values: /^[\d.]+x/.test(values) ? values.replace('x', '+0x') : values,
  }
}
const up = (value, instance = 'a:9090') => ({
  series: `up{job="takespace", instance="${instance}"}`,
  values: `${value}+0x60`,
})
const web = { service: 'web' }

/**
 * `fires` and `quiet` are series, at 30 minutes; `labels` those of the alert that fires, `value` as its description shows it.
 * `hold` is how long the condition must last.
 */
export const alerts = [
  {
    name: 'TakespaceNoWorker',
    severity: 'critical',
    expr: `max by (service) (${m('waiting')}) > 0 and on (service) max by (service) (${m('service_workers')}) == 0`,
    hold: '30s',
    summary: 'No worker takes requests of {{ $labels.service }}',
    description: '{{ $value | humanize }} requests wait; their clients get 504 at the deadline.',
    fires: [series('waiting', web, '7x60'), series('service_workers', web, '0x60')],
    quiet: [series('waiting', web, '7x60'), series('service_workers', web, '1x60')],
    labels: web,
    value: '7',
  },
  {
    name: 'TakespaceRequestsWait',
    severity: 'warning',
    // Half of --timeout-ms.
    expr: `max by (service) (${m('waiting_oldest_seconds')}) > 15`,
    hold: '1m',
    summary: 'Requests of {{ $labels.service }} wait long',
    description: 'The oldest has waited for {{ $value | humanize }} s, more than half of the timeout.',
    fires: [
      series('waiting_oldest_seconds', web, '20x60'),
      series('waiting_oldest_seconds', { ...web, instance: 'b:9090' }, '3x60'),
    ],
    quiet: [series('waiting_oldest_seconds', web, '14x60')],
    labels: web,
    value: '20',
  },
  {
    name: 'TakespaceErrors',
    severity: 'critical',
    expr: `service:takespace_errors:ratio5m > 0.05`,
    hold: '2m',
    summary: 'More than 5 % of the requests of {{ $labels.service }} fail',
    description: '{{ $value | humanizePercentage }} of the responses of the last five minutes are 5xx.',
    fires: [
      series('requests_total', { ...web, status: '500' }, '0+1x60'),
      series('requests_total', { ...web, status: '200' }, '0+9x60'),
    ],
    quiet: [
      series('requests_total', { ...web, status: '500' }, '0+1x60'),
      series('requests_total', { ...web, status: '200' }, '0+99x60'),
    ],
    labels: web,
    value: '10%',
  },
  {
    name: 'TakespaceDeadLetters',
    severity: 'warning',
    expr: `max(${m('dead_letters')}) - max(${m('dead_letters')} offset 15m) > 0`,
    hold: '0s',
    summary: 'New dead letters',
    description: '{{ $value | humanize }} within 15 minutes.',
    fires: [series('dead_letters', {}, '0+1x60'), series('dead_letters', { instance: 'b:9090' }, '0+1x60')],
    quiet: [series('dead_letters', {}, '40x60')],
    value: '15',
  },
  {
    name: 'TakespaceProcessesReplaced',
    severity: 'warning',
    expr: `sum by (instance) (${increase(m('worker_replacements_total', 'reason=~"exit|crash|blocked"'))}) > 5`,
    hold: '0s',
    summary: 'Worker processes of {{ $labels.instance }} end again and again',
    description: '{{ $value | humanize }} within 15 minutes have crashed, exited or been blocked.',
    fires: [series('worker_replacements_total', { reason: 'crash' }, '0+1x60')],
    quiet: [series('worker_replacements_total', { reason: 'requests' }, '0+1x60')],
    labels: { instance: 'a:9090' },
    value: '15',
  },
  {
    name: 'TakespaceBlockedLoop',
    severity: 'warning',
    expr: `sum by (instance) (${m('worker_processes', 'state="blocked"')}) > 0 or sum by (instance) (${increase(m('worker_replacements_total', 'reason="blocked"'))}) > 0`,
    hold: '0s',
    summary: 'An event loop of {{ $labels.instance }} is blocked, or was',
    description: 'Long computations in a handler stop all requests of its process; the log has the stack.',
    fires: [series('worker_processes', { state: 'blocked' }, '1x60')],
    quiet: [
      series('worker_processes', { state: 'blocked' }, '0x60'),
      series('worker_replacements_total', { reason: 'blocked' }, '4x60'),
    ],
    labels: { instance: 'a:9090' },
  },
  {
    name: 'TakespaceSpaceUnreachable',
    severity: 'critical',
    expr: `min by (instance) (${m('space_connected')}) == 0`,
    hold: '30s',
    summary: '{{ $labels.instance }} cannot reach Redis',
    description: 'Its calls do not reach the space.',
    fires: [series('space_connected', {}, '0x60')],
    quiet: [series('space_connected', {}, '1x60')],
    labels: { instance: 'a:9090' },
  },
  {
    name: 'TakespaceSpaceSilent',
    severity: 'critical',
    // The metrics of what is in the space are left out while it does not answer within 900 ms.
    expr: `count(up{${SELECTOR}} == 1) > 0 unless on () count(${m('dead_letters')}) > 0`,
    hold: '1m',
    summary: 'The space does not answer within 900 ms',
    description: '{{ $value | humanize }} processes are up, and none tells what is in the space.',
    fires: [up(1)],
    quiet: [up(1), series('dead_letters', {}, '0x60')],
    value: '1',
  },
  {
    name: 'TakespaceDown',
    severity: 'critical',
    expr: `up{${SELECTOR}} == 0`,
    hold: '2m',
    summary: '{{ $labels.instance }} is down',
    description: 'Its admin port does not answer.',
    fires: [up(0), up(1, 'b:9090')],
    quiet: [up(1)],
    labels: { instance: 'a:9090', job: 'takespace' },
  },
  {
    name: 'TakespaceAbsent',
    severity: 'critical',
    expr: `absent(up{${SELECTOR}} == 1)`,
    hold: '2m',
    summary: 'No process of takespace is up',
    description: 'No target of the job is up, or the job has none.',
    fires: [up(0)],
    quiet: [up(0), up(1, 'b:9090')],
  },
  {
    name: 'TakespaceRedisMemory',
    severity: 'warning',
    expr: `max(${m('space_memory_bytes')} / ${m('space_memory_limit_bytes')}) > 0.8`,
    hold: '2m',
    summary: 'Redis uses more than 80 % of maxmemory',
    description: '{{ $value | humanizePercentage }} are used. When it is full, new requests get 503.',
    fires: [series('space_memory_bytes', {}, '90x60'), series('space_memory_limit_bytes', {}, '100x60')],
    quiet: [series('space_memory_bytes', {}, '70x60'), series('space_memory_limit_bytes', {}, '100x60')],
    value: '90%',
  },
  {
    name: 'TakespaceRedisMayEvict',
    severity: 'critical',
    expr: `max(${m('space_may_evict')}) > 0`,
    hold: '0s',
    summary: 'Redis may evict entries',
    description:
      'Its maxmemory-policy is not noeviction: a full server loses requests. Gateways and workers are not ready.',
    fires: [series('space_may_evict', {}, '1x60')],
    quiet: [series('space_may_evict', {}, '0x60')],
  },
  {
    name: 'TakespaceRedisWithoutAof',
    severity: 'warning',
    expr: `count(${m('space_durability', 'level="memory"')}) > 0`,
    hold: '5m',
    summary: 'Redis keeps nothing on its disk',
    description: 'A crash of the server loses all requests, entries and sessions.',
    fires: [series('space_durability', { level: 'memory' }, '1x60')],
    quiet: [series('space_durability', { level: 'local' }, '1x60')],
  },
  {
    name: 'TakespaceDamaged',
    severity: 'critical',
    expr: `sum(${increase(m('damaged_total'))}) > 0`,
    hold: '0s',
    summary: 'Damaged data in the space',
    description: '{{ $value | humanize }} entries, bodies or messages within 15 minutes.',
    fires: [series('damaged_total', {}, '0+1x60')],
    quiet: [series('damaged_total', {}, '3x60')],
    value: '15',
  },
  {
    name: 'TakespaceNonconforming',
    severity: 'warning',
    expr: `sum(${increase(m('nonconforming_entries_total'))}) > 0`,
    hold: '0s',
    summary: 'Entries do not match their schema',
    description: '{{ $value | humanize }} were moved to the dead letters within 15 minutes.',
    fires: [series('nonconforming_entries_total', {}, '0+1x60')],
    quiet: [series('nonconforming_entries_total', {}, '3x60')],
    value: '15',
  },
  {
    name: 'TakespaceOverrunHandlers',
    severity: 'warning',
    expr: `sum by (instance, service) (${m('overrun_handlers')}) > 16`,
    hold: '5m',
    summary: 'Handlers of {{ $labels.service }} run on although their requests are over',
    description: '{{ $value | humanize }} at {{ $labels.instance }}: they ignore their signal.',
    fires: [series('overrun_handlers', web, '20x60')],
    quiet: [series('overrun_handlers', web, '10x60')],
    labels: { ...web, instance: 'a:9090' },
    value: '20',
  },
  {
    name: 'TakespaceGatewayFull',
    severity: 'warning',
    expr: `sum by (instance) (${m('requests_in_flight')}) / sum by (instance) (${m('requests_capacity')}) > 0.8`,
    hold: '1m',
    summary: '{{ $labels.instance }} is nearly full',
    description:
      '{{ $value | humanizePercentage }} of the requests that it admits are in flight; beyond, clients get 503.',
    fires: [series('requests_in_flight', {}, '90x60'), series('requests_capacity', {}, '100x60')],
    quiet: [series('requests_in_flight', {}, '10x60'), series('requests_capacity', {}, '100x60')],
    labels: { instance: 'a:9090' },
    value: '90%',
  },
  {
    name: 'TakespacePushesLost',
    severity: 'warning',
    expr: `sum(${increase(m('space_gaps_total'))}) > 10`,
    hold: '0s',
    summary: 'Pushes of Redis are lost',
    description: '{{ $value | humanize }} times within 15 minutes; each is mended, and costs a second.',
    fires: [series('space_gaps_total', {}, '0+1x60')],
    quiet: [series('space_gaps_total', {}, '9x60')],
    value: '15',
  },
  {
    name: 'TakespaceVersionSkew',
    severity: 'warning',
    expr: `count by (role) (count by (role, version, release) (${m('processes')})) > 1`,
    hold: '1h',
    summary: 'Processes of the role {{ $labels.role }} have different releases',
    description:
      '{{ $value | humanize }} versions of takespace or releases of the app for an hour: a deploy has stopped half way.',
    fires: [
      series('processes', { role: 'worker', version: '1.0.0', release: 'a', state: 'running' }, '2x120'),
      series('processes', { role: 'worker', version: '1.0.0', release: 'b', state: 'running' }, '2x120'),
    ],
    quiet: [series('processes', { role: 'worker', version: '1.0.0', release: 'a', state: 'running' }, '4x120')],
    labels: { role: 'worker' },
    value: '2',
    at: '100m',
  },
  {
    name: 'TakespacePaused',
    severity: 'info',
    expr: `max by (what, name) (${m('paused')}) > 0`,
    hold: '1h',
    summary: 'The {{ $labels.what }} {{ $labels.name }} is paused',
    description: 'For an hour: no worker takes its requests.',
    fires: [series('paused', { what: 'service', name: 'web' }, '1x120')],
    quiet: [series('paused', { what: 'service', name: 'web' }, '1x10')],
    labels: { what: 'service', name: 'web' },
    at: '100m',
  },
]

const requests = `sum by (service) (${rate(m('requests_total'))})`
const errors = `sum by (service) (${rate(m('requests_total', 'status=~"5.."'))})`

/** Expressions that alerts and panels share. */
export const recordings = [
  { record: 'service:takespace_requests:rate5m', expr: requests },
  {
    // 0, not absent, while nothing fails.
    record: 'service:takespace_errors:ratio5m',
    expr: `(${errors} or ${requests} * 0) / ${requests}`,
  },
  ...[50, 95, 99].map((percent) => ({
    record: `service:takespace_request_seconds:p${percent}_5m`,
    expr: `histogram_quantile(${percent / 100}, sum by (service, le) (${rate(m('request_seconds_bucket'))}))`,
  })),
  { record: 'service:takespace_waiting:max', expr: `max by (service) (${m('waiting')})` },
  {
    record: 'service:takespace_turns:utilization',
    expr: `sum by (service) (${m('turns_in_flight')}) / sum by (service) (${m('turns_capacity')})`,
  },
]

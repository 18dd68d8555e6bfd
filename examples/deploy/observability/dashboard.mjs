/** The panels of the Grafana dashboard; generate.mjs writes them. */
import { metric as m, SELECTOR } from './metrics.mjs'

const rate = (selector) => `rate(${selector}[$__rate_interval])`

/** A panel: title, unit of Grafana, and its queries, each with its legend. */
const panel = (title, unit, ...queries) => ({ title, unit, queries })
const query = (expr, legend) => ({ expr, legend })

export const rows = [
  [
    'Requests',
    panel('Requests', 'reqps', query('service:takespace_requests:rate5m', '{{service}}')),
    panel('Responses by status', 'reqps', query(`sum by (status) (${rate(m('requests_total'))})`, '{{status}}')),
    panel('Share of 5xx', 'percentunit', query('service:takespace_errors:ratio5m', '{{service}}')),
    panel(
      'Time to the response',
      's',
      ...[50, 95, 99].map((p) => query(`service:takespace_request_seconds:p${p}_5m`, `p${p} {{service}}`)),
    ),
    panel(
      'In flight at the gateways',
      'short',
      query(`sum by (instance) (${m('requests_in_flight')})`, '{{instance}}'),
      query(`sum by (instance) (${m('requests_capacity')})`, 'limit {{instance}}'),
    ),
    panel(
      'Oldest request in flight',
      's',
      query(`max by (instance) (${m('requests_oldest_seconds')})`, '{{instance}}'),
    ),
  ],
  [
    'The space',
    panel('Waiting requests', 'short', query('service:takespace_waiting:max', '{{service}}')),
    panel('Oldest waiting request', 's', query(`max by (service) (${m('waiting_oldest_seconds')})`, '{{service}}')),
    panel('Dead letters', 'short', query(`max(${m('dead_letters')})`, 'dead letters')),
    panel(
      'Memory of Redis',
      'bytes',
      query(`max(${m('space_memory_bytes')})`, 'used'),
      query(`max(${m('space_memory_limit_bytes')})`, 'maxmemory'),
    ),
    panel(
      'Connections',
      'short',
      query(`min by (instance) (${m('space_connected')})`, 'connected {{instance}}'),
      query(
        `sum by (instance) (increase(${m('space_reconnects_total')}[$__rate_interval]))`,
        'reconnects {{instance}}',
      ),
      query(`sum by (instance) (increase(${m('space_gaps_total')}[$__rate_interval]))`, 'lost pushes {{instance}}'),
    ),
    panel('Operations without a reply', 'short', query(`sum by (instance) (${m('space_queued')})`, '{{instance}}')),
    panel(
      'Set aside',
      'short',
      query(`sum(increase(${m('damaged_total')}[$__rate_interval]))`, 'damaged'),
      query(`sum(increase(${m('nonconforming_entries_total')}[$__rate_interval]))`, 'nonconforming'),
    ),
    panel('Durability', 'short', query(`count by (level) (${m('space_durability')})`, '{{level}}')),
  ],
  [
    'Workers',
    panel('Turns by ending', 'reqps', query(`sum by (ending) (${rate(m('turns_total'))})`, '{{ending}}')),
    panel('Utilization of slots', 'percentunit', query('service:takespace_turns:utilization', '{{service}}')),
    panel(
      'From written to taken (p95)',
      's',
      query(`histogram_quantile(0.95, sum by (service, le) (${rate(m('waiting_seconds_bucket'))}))`, '{{service}}'),
    ),
    panel(
      'From taken to the end (p95)',
      's',
      query(`histogram_quantile(0.95, sum by (service, le) (${rate(m('service_seconds_bucket'))}))`, '{{service}}'),
    ),
    panel(
      'Redeliveries and refused responses',
      'reqps',
      query(`sum by (service) (${rate(m('redeliveries_total'))})`, 'redelivered {{service}}'),
      query(`sum by (service) (${rate(m('refused_completions_total'))})`, 'refused {{service}}'),
    ),
    panel('Overrun handlers', 'short', query(`sum by (service) (${m('overrun_handlers')})`, '{{service}}')),
    panel('Worker processes', 'short', query(`sum by (state) (${m('worker_processes')})`, '{{state}}')),
    panel(
      'Replaced processes',
      'short',
      query(`sum by (reason) (increase(${m('worker_replacements_total')}[$__rate_interval]))`, '{{reason}}'),
    ),
    panel('Tasks', 'reqps', query(`sum by (task, ending) (${rate(m('tasks_total'))})`, '{{task}} {{ending}}')),
  ],
  [
    'Processes',
    panel(
      'Processes by role and release',
      'short',
      query(`max by (role, release, version) (${m('processes')})`, '{{role}} {{release}} {{version}}'),
    ),
    panel('Workers of each service', 'short', query(`max by (service) (${m('service_workers')})`, '{{service}}')),
    panel('Targets that are up', 'short', query(`sum(up{${SELECTOR}})`, 'up'), query(`count(up{${SELECTOR}})`, 'all')),
    panel(
      'Resident memory',
      'bytes',
      query(`sum by (instance) (process_resident_memory_bytes{${SELECTOR}})`, '{{instance}}'),
    ),
    panel(
      'CPU',
      'percentunit',
      query(`sum by (instance) (rate(process_cpu_seconds_total{${SELECTOR}}[$__rate_interval]))`, '{{instance}}'),
    ),
    panel(
      'Delay of event loops (p99)',
      's',
      query(`max by (instance) (nodejs_eventloop_lag_p99_seconds{${SELECTOR}})`, '{{instance}}'),
    ),
  ],
  [
    'Streams',
    panel('Open streams', 'short', query(`sum by (instance) (${m('streams_open')})`, '{{instance}}')),
    panel('Bytes', 'Bps', query(`sum by (way) (${rate(m('stream_bytes_total'))})`, '{{way}}')),
    panel('Ended streams by their way', 'ops', query(`sum by (way) (${rate(m('streams_total'))})`, '{{way}}')),
    panel('Bytes on their way', 'bytes', query(`sum(${m('stream_unconfirmed_bytes')})`, 'not confirmed')),
    panel(
      'Direct connections',
      'short',
      query(`sum(${m('direct_connections')})`, 'open'),
      query(`sum(increase(${m('direct_refused_total')}[$__rate_interval]))`, 'refused'),
    ),
  ],
]

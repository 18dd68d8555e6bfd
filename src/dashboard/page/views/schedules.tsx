/** Schedules: when each is due, run now, removed. */
import type { Planned } from '../../../tasks/schedule.js'
import { may, post } from '../api.js'
import { askFirst } from '../ask.js'
import { second } from '../clock.js'
import { LoadState, Panel, useRoute } from '../parts.js'
import { Table } from '../table.js'
import { durationWords, timeWords } from '../words.js'

function ask(verb: 'Run now' | 'Remove', { name, next }: Planned, again: () => void): void {
  const isRemoval = verb === 'Remove'
  askFirst({
    title: `${verb}: ${name}`,
    text: isRemoval
      ? 'Its task is not done any more.'
      : 'Its task is done once more, beside the times of the schedule.',
    verb,
    ...(isRemoval && { confirm: name }),
    act: async () => {
      await post(isRemoval ? 'schedules/remove' : 'schedules/run', {
        name,
        seen: next,
        ...(isRemoval && { confirm: name }),
      })
      again()
      return isRemoval ? `${name} has ended.` : `${name} was run.`
    },
  })
}

export function Schedules() {
  const { value, ...loading } = useRoute<{ schedules: readonly Planned[] }>('schedules')
  return (
    <Panel title="Schedules" more={<LoadState {...loading} />}>
      <Table
        caption="Schedules, by name"
        columns={[
          { title: 'Schedule', sort: ({ name }) => name, cell: ({ name }) => <b>{name}</b> },
          { title: 'Task', sort: ({ task }) => task, cell: ({ task }) => task },
          { title: 'Service', cell: ({ service }) => service },
          {
            title: 'Times',
            cell: ({ times }) =>
              'cron' in times ? (
                <>
                  <code>{times.cron}</code> {times.timeZone ?? 'UTC'}
                </>
              ) : (
                `every ${durationWords(times.everyMs)}`
              ),
          },
          { title: 'Next', sort: ({ next }) => next, cell: ({ next }) => timeWords(next) },
          { title: 'In', isNumber: true, cell: ({ next }) => durationWords(Math.max(next - second.value, 0)) },
          {
            title: 'Acts',
            cell: (planned) =>
              may('schedules') && (
                <span class="buttons">
                  {(['Run now', 'Remove'] as const).map((verb) => (
                    <button key={verb} type="button" onClick={() => ask(verb, planned, loading.again)}>
                      {verb}
                      <span class="unseen"> {planned.name}</span>
                    </button>
                  ))}
                </span>
              ),
          },
        ]}
        rows={value?.schedules ?? []}
        keyOf={({ name }) => name}
        empty={loading.isLoading ? 'Loading …' : 'There are no schedules.'}
      />
    </Panel>
  )
}

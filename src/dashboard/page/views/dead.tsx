/** Dead letters: groups of the same error, the letters of one, requeued and dropped. */

import type { LetterJob } from '../../letter-jobs.js'
import type { LetterChoice, LetterGroup, ShownLetter } from '../../letters.js'
import type { ShownField } from '../../shown-fields.js'
import { may, post, save } from '../api.js'
import { askFirst, doNow } from '../ask.js'
import { second } from '../clock.js'
import { Fields } from '../fields.js'
import { job, state } from '../live.js'
import { Pager, usePages } from '../pages.js'
import { Facts, LoadState, Panel, useRoute } from '../parts.js'
import { go, linkTo, placeValues } from '../place.js'
import { useState } from '../preact.js'
import { type Column, Table } from '../table.js'
import { ageWords, countWords, numberWords, timeWords } from '../words.js'

const MOST_AT_ONCE = 1_000

type Verb = 'requeue' | 'drop'

const told = ({ act, done, failed, state: outcome }: LetterJob): string =>
  `${countWords(done, 'dead letter')} ${act === 'drop' ? 'dropped' : 'requeued'}${failed ? `, ${failed} were gone or damaged` : ''}${outcome === 'stopped' ? '; stopped' : ''}.`

/** Asks, and acts on the letters that are named, or on those that match as they are seen now. */
function ask(verb: Verb, body: { ids: string[] } | { match: LetterChoice; seen: number }, again: () => void): void {
  const count = 'ids' in body ? body.ids.length : Math.min(body.seen, MOST_AT_ONCE)
  const beyond =
    'seen' in body && body.seen > MOST_AT_ONCE
      ? ` These are the first ${numberWords(MOST_AT_ONCE)} of ${numberWords(body.seen)}.`
      : ''
  const isDrop = verb === 'drop'
  askFirst({
    title: `${isDrop ? 'Drop' : 'Requeue'} ${countWords(count, 'dead letter')}`,
    text: `${isDrop ? 'They are removed for good.' : 'They are enqueued again, with all their attempts.'}${beyond}`,
    verb: isDrop ? 'Drop' : 'Requeue',
    ...(isDrop && { confirm: String(count) }),
    act: async () => {
      const outcome = await post<LetterJob>(`dead/${verb}`, { ...body, ...(isDrop && { confirm: String(count) }) })
      again()
      return told(outcome)
    },
  })
}

/** The buttons for `name`, which they show if it stands nowhere beside them. */
const Acts = ({ onAct, name, isNamed }: ActsTerms) =>
  may('dead') ? (
    <span class="buttons">
      {(['requeue', 'drop'] as const).map((verb) => (
        <button key={verb} type="button" onClick={() => onAct(verb)}>
          {verb === 'drop' ? 'Drop' : 'Requeue'}
          <span class={isNamed ? '' : 'unseen'}> {name}</span>
        </button>
      ))}
    </span>
  ) : null

interface ActsTerms {
  readonly name: string
  readonly isNamed?: boolean
  onAct(verb: Verb): void
}

/** Saves those that match; with bodies for whom bodies are. */
const Export = ({ match }: { readonly match: LetterChoice }) => {
  if (!may('dead')) return null
  const saveWith = (bodies: boolean): Promise<void> =>
    doNow(async () => {
      await save('dead/export', { match, bodies }, `dead-letters${bodies ? '-with-bodies' : ''}.jsonl`)
      return 'The dead letters are saved: 10,000 at most.'
    })
  return (
    <>
      <button type="button" class="quiet" onClick={() => saveWith(false)}>
        Export
      </button>
      {may('bodies') && (
        <button type="button" class="quiet" onClick={() => saveWith(true)}>
          Export with bodies
        </button>
      )}
    </>
  )
}

const chosen = (): LetterChoice => Object.fromEntries([...placeValues.value].filter(([name]) => name !== 'id'))

export function Dead() {
  const choice = chosen()
  const id = placeValues.value.get('id')
  if (id) return <OneLetter id={id} />
  return Object.keys(choice).length > 0 ? <Letters choice={choice} /> : <Groups />
}

const Job = () => {
  const running = job.value
  if (running?.state !== 'running') return null
  const { act, done, failed, total } = running
  return (
    <p class="job">
      <progress max={total} value={done + failed} aria-label={`${act}: ${done + failed} of ${total}`} />
      {act}: {numberWords(done + failed)} of {numberWords(total)}
      <button
        type="button"
        onClick={() =>
          doNow(async () => {
            await post('dead/stop', {})
            return 'It stops.'
          })
        }
      >
        Stop
      </button>
    </p>
  )
}

const GROUP_COLUMNS: Column<LetterGroup>[] = [
  { title: 'Count', isNumber: true, sort: ({ count }) => count, cell: ({ count }) => numberWords(count) },
  {
    title: 'Error',
    sort: ({ error }) => error,
    cell: ({ reason, service, task, error }) => (
      <a href={linkTo('dead', { reason, service, task, error })}>{error || reason}</a>
    ),
  },
  { title: 'Reason', sort: ({ reason }) => reason, cell: ({ reason }) => reason },
  { title: 'Task', sort: ({ task }) => task, cell: ({ task, service }) => task || service || '–' },
  {
    title: 'Newest',
    sort: ({ newestAt }) => newestAt,
    cell: ({ newestAt }) => `${ageWords(newestAt, second.value)} ago`,
  },
  {
    title: 'Oldest',
    sort: ({ oldestAt }) => oldestAt,
    cell: ({ oldestAt }) => `${ageWords(oldestAt, second.value)} ago`,
  },
]

function Groups() {
  const { value, ...loading } = useRoute<{ groups: readonly LetterGroup[]; isWhole: boolean }>('dead/groups')
  const groups = value?.groups ?? []
  const seen = groups.reduce((sum, { count }) => sum + count, 0)
  const now = state.value?.deadLetters ?? seen
  const choiceOf = ({ reason, service, task, error }: LetterGroup): LetterChoice => ({ reason, service, task, error })
  return (
    <Panel
      title="Dead letters"
      more={
        <>
          {groups.length > 0 && <Export match={{}} />}
          <LoadState {...loading} />
        </>
      }
    >
      <Job />
      {value?.isWhole && now > seen && (
        <button type="button" class="new" onClick={loading.again}>
          Show {numberWords(now - seen)} new
        </button>
      )}
      <Table
        caption="Dead letters, grouped by their error"
        columns={[
          ...GROUP_COLUMNS,
          {
            title: 'Acts',
            cell: (group) => (
              <Acts
                name={group.error || group.reason}
                onAct={(verb) => ask(verb, { match: choiceOf(group), seen: group.count }, loading.again)}
              />
            ),
          },
        ]}
        rows={groups}
        keyOf={(group) => JSON.stringify(choiceOf(group))}
        empty={loading.isLoading ? 'Loading …' : 'There are no dead letters.'}
        first="Count"
      />
      {value && !value.isWhole && <p class="note">There are more: these are the ones that were found within 2 s.</p>}
    </Panel>
  )
}

function Letters({ choice }: { readonly choice: LetterChoice }) {
  const pages = usePages()
  const { value, ...loading } = useRoute<{ letters: readonly ShownLetter[]; next: string | null }>('dead', {
    ...(choice as Record<string, string>),
    after: pages.after,
  })
  const letters = value?.letters ?? []
  const ids = letters.map(({ id }) => id)
  return (
    <Panel
      title={choice.error || `Dead letters: ${Object.values(choice).filter(Boolean).join(', ')}`}
      more={
        <>
          <a href={linkTo('dead')}>All groups</a>
          <Export match={choice} />
          <LoadState {...loading} />
        </>
      }
    >
      <Job />
      <Table
        caption="Dead letters of one group, oldest first"
        columns={[
          {
            title: 'Id',
            cell: ({ id }) => (
              <a class="code" href={linkTo('dead', { id })}>
                {id}
              </a>
            ),
          },
          { title: 'What', cell: ({ task, method, path, kind }) => task || (path ? `${method} ${path}` : kind) },
          { title: 'Service', cell: ({ service }) => service || '–' },
          { title: 'Reason', cell: ({ reason }) => reason },
          { title: 'Attempts', isNumber: true, sort: ({ attempts }) => attempts, cell: ({ attempts }) => attempts },
          {
            title: 'Age',
            isNumber: true,
            sort: ({ writtenAt }) => -writtenAt,
            cell: ({ writtenAt }) => ageWords(writtenAt, second.value),
          },
          {
            title: 'Acts',
            cell: ({ id }) => <Acts name={id} onAct={(verb) => ask(verb, { ids: [id] }, loading.again)} />,
          },
        ]}
        rows={letters}
        keyOf={({ id }) => id}
        empty={loading.isLoading ? 'Loading …' : 'There are none any more.'}
      />
      <Pager pages={pages} next={value?.next}>
        {ids.length > 1 && <Acts name="this page" isNamed onAct={(verb) => ask(verb, { ids }, loading.again)} />}
      </Pager>
    </Panel>
  )
}

function OneLetter({ id }: { readonly id: string }) {
  const { value, ...loading } = useRoute<ShownLetter>(`dead/${encodeURIComponent(id)}`)
  const [fields, setFields] = useState<readonly ShownField[] | undefined>(undefined)
  const show = (): Promise<void> =>
    doNow(async () => {
      setFields((await post<{ fields: ShownField[] }>('dead/body', { id })).fields)
      return 'That you have seen it is in the audit.'
    })
  const back = (): void => go(linkTo('dead'))
  return (
    <Panel title="Dead letter" more={<a href={linkTo('dead')}>All groups</a>}>
      {value ? (
        <Facts
          facts={[
            ['Id', <code key="id">{value.id}</code>],
            ['What', value.task || `${value.method} ${value.path}`.trim() || value.kind],
            ['Service', value.service],
            ['Reason', value.reason],
            ['Error', value.error],
            ['Attempts', value.attempts],
            ['Since', timeWords(value.writtenAt)],
          ]}
        />
      ) : (
        <LoadState {...loading} />
      )}
      {fields && <Fields fields={fields} />}
      <div class="buttons">
        {value && <Acts name={id} onAct={(verb) => ask(verb, { ids: [id] }, back)} />}
        {value && may('bodies') && !fields && (
          <button type="button" onClick={show}>
            {value.task ? 'Show the input' : 'Show the body'}
          </button>
        )}
      </div>
    </Panel>
  )
}

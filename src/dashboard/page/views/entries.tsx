/** Entries: kinds with their numbers, the entries of one that match a template, and one of them. */
import type { ShownField } from '../../shown-fields.js'
import { may, post } from '../api.js'
import { askFirst, doNow } from '../ask.js'
import { second } from '../clock.js'
import { Fields } from '../fields.js'
import { Pager, usePages } from '../pages.js'
import { LoadState, Panel, useRoute } from '../parts.js'
import { go, linkTo, placeValues } from '../place.js'
import { useState } from '../preact.js'
import { Table } from '../table.js'
import { ageWords, durationWords, numberWords } from '../words.js'

interface KindCount {
  readonly kind: string
  readonly count: number
  readonly isOurs: boolean
}

interface ListedEntry {
  readonly id: string
  readonly kind: string
  readonly priority: number
  readonly writtenAt: number
  readonly leaseMs: number | null
  readonly isOurs: boolean
  readonly isDamaged?: boolean
  readonly fields: readonly ShownField[]
}

export function Entries() {
  const kind = placeValues.value.get('kind')
  return kind ? <OfKind key={kind} kind={kind} /> : <Kinds />
}

function Kinds() {
  const { value, ...loading } = useRoute<{ kinds: readonly KindCount[] }>('kinds')
  return (
    <Panel title="Entries" more={<LoadState {...loading} />}>
      <Table
        caption="Kinds, with the number of their free entries"
        columns={[
          {
            title: 'Kind',
            sort: ({ kind }) => kind,
            cell: ({ kind }) => <a href={linkTo('entries', { kind })}>{kind}</a>,
          },
          { title: 'Free', isNumber: true, sort: ({ count }) => count, cell: ({ count }) => numberWords(count) },
          { title: 'Of', cell: ({ isOurs }) => (isOurs ? 'takespace' : 'programs') },
        ]}
        rows={value?.kinds ?? []}
        keyOf={({ kind }) => kind}
        empty={loading.isLoading ? 'Loading …' : 'The space is empty.'}
        first="Free"
      />
      <p class="note">Entries that processes hold, or that a transaction has taken, are not free.</p>
    </Panel>
  )
}

function OfKind({ kind }: { readonly kind: string }) {
  const [text, setText] = useState(placeValues.value.get('fields') ?? '')
  const pages = usePages()
  const fields = placeValues.value.get('fields') ?? ''
  const { value, ...loading } = useRoute<{ entries: readonly ListedEntry[]; next: string | null }>('entries', {
    kind,
    fields,
    after: pages.after,
  })
  const search = (event: Event): void => {
    event.preventDefault()
    pages.first()
    go(linkTo('entries', { kind, fields: text }))
  }
  return (
    <Panel
      title={kind}
      more={
        <>
          <a href={linkTo('entries')}>All kinds</a>
          <LoadState {...loading} />
        </>
      }
    >
      <form class="template" onSubmit={search}>
        <label>
          <span>Template, as JSON</span>
          <input
            class="code"
            value={text}
            placeholder={'{"type":"resize"}'}
            spellcheck={false}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        </label>
        <button type="submit">Find</button>
      </form>
      <Table
        caption={`Entries of ${kind}, in the order in which they would be taken`}
        columns={[
          { title: 'Id', cell: ({ id }) => <span class="code">{id}</span> },
          { title: 'Priority', isNumber: true, cell: ({ priority }) => priority },
          { title: 'Age', isNumber: true, cell: ({ writtenAt }) => ageWords(writtenAt, second.value) },
          {
            title: 'Lease',
            isNumber: true,
            cell: ({ leaseMs }) => (leaseMs === null ? 'for ever' : durationWords(leaseMs)),
          },
          { title: 'Fields', cell: (entry) => <EntryFields entry={entry} again={loading.again} /> },
        ]}
        rows={value?.entries ?? []}
        keyOf={({ id }) => id}
        empty={loading.isLoading ? 'Loading …' : 'No entry matches.'}
      />
      <Pager pages={pages} next={value?.next} />
    </Panel>
  )
}

function EntryFields({ entry, again }: { readonly entry: ListedEntry; again(): void }) {
  const { id, kind, fields, isOurs, isDamaged } = entry
  const [whole, setWhole] = useState<readonly ShownField[] | undefined>(undefined)
  if (isOurs) return <small>not shown: it is takespace's own</small>
  if (isDamaged) return <small>damaged</small>
  const show = (): Promise<void> =>
    doNow(async () => {
      setWhole((await post<ListedEntry>('entries/body', { kind, id })).fields)
      return 'That you have seen it is in the audit.'
    })
  const take = (): void =>
    askFirst({
      title: 'Take the entry out',
      text: `The entry of ${kind} is removed from the space for good.`,
      verb: 'Take out',
      confirm: id,
      act: async () => {
        await post('entries/take', { kind, id, confirm: id })
        again()
        return `${id} is taken out.`
      },
    })
  return (
    <>
      <Fields fields={whole ?? fields} />
      <span class="buttons">
        {may('bodies') && !whole && (
          <button type="button" onClick={show}>
            Show all<span class="unseen"> of {id}</span>
          </button>
        )}
        {may('entries') && (
          <button type="button" onClick={take}>
            Take out<span class="unseen"> {id}</span>
          </button>
        )}
      </span>
    </>
  )
}

/** The page of the dashboard: its frame, and the view of the place where the user is. */

import { isOut, learnMe, me, post } from './api.js'
import { Asking } from './ask.js'
import { Icon } from './icons.js'
import { Keys, listKeys, PAGES } from './keys.js'
import { follow, isStale } from './live.js'
import { Notices } from './notices.js'
import { linkTo, pageName } from './place.js'
import { type JSX, render } from './preact.js'
import { Status } from './status.js'
import { theme, toggleTheme } from './theme.js'
import { AuditTrail } from './views/audit.js'
import { Dead } from './views/dead.js'
import { Entries } from './views/entries.js'
import { Login } from './views/login.js'
import { Overview } from './views/overview.js'
import { Processes } from './views/processes.js'
import { Requests } from './views/requests.js'
import { Schedules } from './views/schedules.js'
import { Services } from './views/services.js'
import { Tasks } from './views/tasks.js'
import { Transactions } from './views/transactions.js'

const VIEWS: Readonly<Record<string, () => JSX.Element>> = {
  overview: Overview,
  services: Services,
  processes: Processes,
  requests: Requests,
  tasks: Tasks,
  schedules: Schedules,
  dead: Dead,
  entries: Entries,
  transactions: Transactions,
  audit: AuditTrail,
}

async function logOut(): Promise<void> {
  await post('logout', {}).catch(() => {})
  isOut.value = true
  follow()
}

function Page() {
  if (isOut.value) return <Login />
  // Before that it is not known whether there is a login.
  if (!me.value) return <p class="empty">takespace …</p>
  const name = pageName.value
  const View = VIEWS[name] ?? Overview
  const title = PAGES.find(([page]) => page === name)?.[1] ?? 'Overview'
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        To the content
      </button>
      <header class="top">
        <nav aria-label="Pages">
          {PAGES.map(([page, words]) => (
            <a key={page} href={linkTo(page)} aria-current={page === name ? 'page' : undefined}>
              <Icon name={page} />
              <span>{words}</span>
            </a>
          ))}
        </nav>
        <div class="own">
          <span class="who">
            {me.value?.user}
            {me.value && me.value.rights.length === 0 && <small> can only read</small>}
          </span>
          <button
            type="button"
            class="quiet"
            onClick={toggleTheme}
            aria-label={theme.value === 'dark' ? 'Light' : 'Dark'}
          >
            <Icon name="theme" />
          </button>
          <button type="button" class="quiet" onClick={listKeys} aria-label="Keys">
            ?
          </button>
          {me.value?.hasLogin && (
            <button type="button" class="quiet" onClick={logOut}>
              Log out
            </button>
          )}
        </div>
      </header>
      <Status />
      <main id="main" tabIndex={-1} class={isStale.value ? 'stale' : ''}>
        <h1 class="unseen">{title}</h1>
        <View key={name} />
      </main>
      <Notices />
      <Asking />
      <Keys />
    </>
  )
}

/** A button, since the hash of the address is the place of the user. */
function skip(): void {
  document.getElementById('main')?.focus()
}

follow()
void learnMe()
render(<Page />, document.getElementById('page')!)

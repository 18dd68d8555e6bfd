/** Light or dark: as the system has it, until the user chooses. */
import { signal } from './preact.js'

const STORED = 'takespace-theme'
const system = matchMedia('(prefers-color-scheme: dark)')

const isTheme = (text: string | null): text is 'light' | 'dark' => text === 'light' || text === 'dark'

const stored = localStorage.getItem(STORED)
const chosen = signal<'light' | 'dark' | undefined>(isTheme(stored) ? stored : undefined)
/** The theme that is shown. */
export const theme = signal<'light' | 'dark'>(chosen.value ?? (system.matches ? 'dark' : 'light'))

function show(): void {
  theme.value = chosen.value ?? (system.matches ? 'dark' : 'light')
  document.documentElement.dataset.theme = theme.value
}

export function toggleTheme(): void {
  chosen.value = theme.value === 'dark' ? 'light' : 'dark'
  localStorage.setItem(STORED, chosen.value)
  show()
}

system.addEventListener('change', show)
show()

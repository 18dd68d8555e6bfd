/** Files of this repository, by their path from its root. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const pathOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export const textOf = (path: string): string => readFileSync(pathOf(path), 'utf8')

/** The process ids of a process and of all that it has started, directly or not (Linux; elsewhere the process alone). */
import { readFileSync } from 'node:fs'

export function familyOf(pid) {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
    return [pid, ...children.flatMap((child) => familyOf(Number(child)))]
  } catch {
    return [pid]
  }
}

/** Closes an app after its last request: once, within a bound, without failing its process. */
import { within } from '../../runtime/deadline.js'
import { describe } from '../failure.js'

export async function closeApp(
  close: (() => unknown) | undefined,
  boundMs: number,
  tell: (line: string) => void,
): Promise<void> {
  const closing = async (): Promise<void> => void (await close?.())
  const ended = closing().catch((error) => tell(`the app's close failed: ${describe(error)}`))
  if (!(await within(boundMs, ended))) tell(`the app's close did not end within ${Math.round(boundMs)} ms`)
}

/** Where the files of the page are: the built ones, also when the sources run. */

const folder = import.meta.url.endsWith('.ts') ? '../../dist/dashboard/' : '../../dashboard/'

/** The folder of the built page. */
export const PAGE_FOLDER: URL = new URL(folder, import.meta.url)

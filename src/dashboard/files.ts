/** The files of the page: read once, served under names that hold their hashes. */
import { readdirSync, readFileSync } from 'node:fs'
import { PAGE_FOLDER } from './places.js'
import { Refused } from './refusal.js'

interface PageFile {
  readonly type: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

const INDEX = 'index.html'

let files: ReadonlyMap<string, PageFile> | undefined

function filesOfPage(): ReadonlyMap<string, PageFile> {
  files ??= new Map(
    readdirSync(PAGE_FOLDER).flatMap((name) => {
      const type = TYPES[name.slice(name.lastIndexOf('.') + 1)]
      return type ? [[name, { type, bytes: new Uint8Array(readFileSync(new URL(name, PAGE_FOLDER))) }]] : []
    }),
  )
  return files
}

/** Returns the page, or one of its files, by its name; the names are a fixed list. @throws Refused 404 */
export function pageFile(name: string): Response {
  const file = filesOfPage().get(name || INDEX)
  if (!file) throw new Refused(404, 'path', 'There is nothing at this path.')
  const isPage = name === '' || name === INDEX
  const caching = isPage ? 'no-cache' : 'public, max-age=31536000, immutable'
  return new Response(file.bytes, { headers: { 'Content-Type': file.type, 'Cache-Control': caching } })
}

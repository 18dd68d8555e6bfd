/** The settings of the site: everything is served from its own files, no other host is asked. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'
import { NAV, sidebarOf } from '../sidebar.mjs'

const pages = fileURLToPath(new URL('../.pages', import.meta.url))
const textOf = (file) => (existsSync(join(pages, file)) ? readFileSync(join(pages, file), 'utf8') : undefined)

export default defineConfig({
  title: 'takespace',
  description: 'A tuple space for Node.js, and request distribution built on it: workers take what they have room for.',
  lang: 'en',
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: '/icon.svg' }]],
  srcDir: '.pages',
  outDir: 'dist',
  cacheDir: '.cache',
  cleanUrls: true,
  markdown: { languageAlias: { haproxy: 'nginx', caddyfile: 'nginx' } },
  vite: { publicDir: 'public' },
  themeConfig: {
    nav: NAV,
    sidebar: sidebarOf(textOf),
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: [{ icon: 'github', link: 'https://github.com/takespace/takespace' }],
  },
})

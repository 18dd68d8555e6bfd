/** nginx in front of two processes of the app. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { familyOf } from '../../../machine/family.mjs'
import { program } from '../../../servers/programs.mjs'

export const about = {
  name: 'nginx, two processes',
  promise: 'fails if its process dies',
  settings: 'round robin, a worker per core, up to 512 idle connections to the app, no log',
}
const SETTLE_MS = 300

const configuration = (folder, port, ports) => `worker_processes auto;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  keepalive_requests 1000000000;
  upstream apps {
    ${ports.map((each) => `server 127.0.0.1:${each};`).join(' ')}
    keepalive 512;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://apps; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`

export async function start({ children, freePort, folder }, app) {
  const { command, env } = program('nginx')
  const ports = [await freePort(), await freePort()]
  const apps = []
  for (const httpPort of ports) apps.push(await children.fork('behind-nginx', 'direct', { app, httpPort }))
  const port = await freePort()
  const own = join(folder, `nginx-${port}`)
  mkdirSync(own)
  const file = join(own, 'nginx.conf')
  writeFileSync(file, configuration(own, port, ports))
  const child = children.program('nginx', command, ['-p', own, '-c', file, '-g', 'daemon off;'], env)
  // Its workers are counted, too.
  await pause(SETTLE_MS)
  return {
    target: `http://127.0.0.1:${port}/`,
    roles: { front: familyOf(child.pid), apps: apps.map(({ pid }) => pid) },
  }
}

/** Six members of one room, over WebSockets; a process of the app is killed while messages go around. */
import { once } from 'node:events'
import { io } from 'socket.io-client'

const MEMBERS = 6

/** @param {import('../../app.js').Site} site */
export default async function client(site) {
  await site.ask('GET', '/')
  const members = Array.from({ length: MEMBERS }, () => {
    const socket = io(site.url, { transports: ['websocket'], reconnectionDelay: 50, reconnectionDelayMax: 500 })
    const heard = new Set()
    socket.on('said', (text) => heard.add(text))
    return { socket, heard }
  })
  try {
    await Promise.all(members.map(({ socket }) => once(socket, 'connect')))
    await site.record('acknowledged before', await round(members, 'before'))
    await site.record('bytes', await members[0].socket.timeout(30_000).emitWithAck('upload', Buffer.alloc(300_000, 1)))

    // A client of the killed process is cut off and comes back by itself.
    const cut = new Promise((resolve) => {
      for (const { socket } of members) socket.once('disconnect', resolve)
    })
    let killed = false
    const talk = (async () => {
      let said = 0
      while (!killed) {
        const text = `during ${said++}`
        await Promise.allSettled(members.map(({ socket }) => socket.timeout(1_000).emitWithAck('say', text)))
      }
    })()
    await site.crash()
    await cut
    await until(() => members.every(({ socket }) => socket.connected))
    killed = true
    await talk
    await site.record('acknowledged after', await round(members, 'after'))
  } finally {
    for (const { socket } of members) socket.close()
  }
}

/** Each says one thing. Resolves with the acknowledgements once each member has heard all of it. */
async function round(members, when) {
  const said = members.map((_, i) => `${when} ${i}`)
  const acknowledged = await Promise.all(
    members.map(({ socket }, i) => socket.timeout(30_000).emitWithAck('say', said[i])),
  )
  await until(() => members.every(({ heard }) => said.every((text) => heard.has(text))))
  return acknowledged
}

async function until(condition) {
  for (const end = Date.now() + 60_000; !condition(); ) {
    if (Date.now() > end) throw new Error(`waited in vain for ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

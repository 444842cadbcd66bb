// From an empty start to a site that others read and sign, without leaving the window, a document read or a file edited.
//
// The same in Chromium, and everything else of My site: tests/browser, mysite.test.mjs and publish.test.mjs.

import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Peer, removeAll } from '../browser/lib/peer.mjs'
import { top } from '../browser/lib/program.mjs'
import { desktop, onlyPeer } from './lib/app.mjs'
import { until } from './lib/driver.mjs'

let user, window, neighbour, id, programs

before(async () => {
  // What the system opens files with; here it writes down which.
  programs = await mkdtemp(join(tmpdir(), 'goop2-'))
  await writeFile(join(programs, 'xdg-open'), `#!/bin/sh\necho "$1" >>'${programs}/opened'\n`, { mode: 0o755 })
  process.env.PATH = `${programs}:${process.env.PATH}`
  user = await desktop()
  neighbour = await Peer.start('Anselm — field notes', { from: 'peers/neighbour', config: { p2p: { mdns_tag: 'goop-mdns' } } })
})

after(async () => {
  await window?.end()
  await user?.remove()
  await removeAll(neighbour)
  await rm(programs, { recursive: true })
})

test('a new user chooses a guestbook, and it is online with its link', async () => {
  window = await user.open()
  await (await window.find('textbox', 'Name')).fill('Mira Sol')
  await window.press('button', 'Next')
  await window.press('button', /^Guestbook/)
  await window.find('dialog', 'Guestbook')
  await window.says('guestbook')
  await window.press('button', 'Use this')
  await window.says('Go online?')
  neighbour.forget()
  await window.anew(() => window.press('button', 'Go online'))
  await window.find('dialog', 'Your site is online')
  await neighbour.event((event) => event.event === 'peer' && event.label === 'Mira Sol' && event.state === 'online')
  const { peers } = await neighbour.api('api/snapshot')
  id = peers.find(({ label }) => label === 'Mira Sol').id
  await window.says(/goop:\/\/k51/)
  await window.answer('Close')
})

test('a neighbor reads it and signs, and the owner sees who wrote what', async () => {
  assert.match(await read('/'), /guestbook/i)
  await neighbour.api(`api/p/${id}/data/insert`, { table: 'guestbook', data: { name: 'Anselm', message: 'Greetings from next door' } })
  await window.press('button', 'Tables')
  await window.press('button', /^guestbook/)
  await window.says('Greetings from next door')
  await window.says('Anselm — field notes')
})

test('a page opens in the editor of the system', async () => {
  await window.press('button', 'Pages')
  await window.press('treeitem', /^index\.html/)
  await window.press('button', 'More about index.html')
  await window.press('button', 'Open in editor')
  const opened = () => readFile(join(programs, 'opened'), 'utf8').catch(() => '')
  await until('the editor', async () => (await opened()) !== '')
  const { dir } = await onlyPeer(user.peers)
  assert.equal(await opened(), `${join(dir, 'site/index.html')}\n`)
})

test('a page written in the window is what visitors get', async () => {
  await window.press('button', 'Pages')
  await window.press('button', /New page/)
  await (await window.find('textbox', 'Title')).fill('About me')
  await window.answer('Make page')
  const { dir } = await onlyPeer(user.peers)
  assert.equal(await read('/about-me.html'), await readFile(join(dir, 'site/about-me.html'), 'utf8'))
})

test('a picture is put into a page that is written', async () => {
  const picture = join(user.home, 'heron in the reeds.png')
  await copyFile(join(top, 'icons/32x32.png'), picture)
  await (await window.element('input[type=file][accept="image/*"]')).type(picture)
  await until('the picture in the text', () => window.run(() => document.querySelector('[aria-label="Text of the page"] img')?.naturalWidth > 0))
  await window.press('button', 'Save')
  await until('the picture on the page', async () => (await read('/about-me.html')).includes('<img src="pictures/heron%20in%20the%20reeds.png"'))
  const response = await fetch(`${neighbour.url}p/${id}/pictures/heron%20in%20the%20reeds.png`)
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), await readFile(picture))
})

/** What a program on the neighbor's computer is given. */
async function read(path) {
  const response = await fetch(`${neighbour.url}p/${id}${path}`)
  assert.equal(response.status, 200)
  return response.text()
}

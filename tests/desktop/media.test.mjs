// Films and sound in the window: WebKitGTK plays them with GStreamer, whose parts the Debian package recommends. A person who
// goes to another place in one is there.

import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { media, SECONDS } from '../browser/lib/film.mjs'
import { Peer, removeAll } from '../browser/lib/peer.mjs'
import { desktop, startAgain } from './lib/app.mjs'
import { until } from './lib/driver.mjs'

const FILES = { 'film.mp4': 'video', 'film.webm': 'video', 'song.mp3': 'audio' }
const PLACES = [50, 10, 40]
const page = (name) => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>${name}</title><h1>${name}</h1><${FILES[name]} controls preload="metadata" src="${name}"></${FILES[name]}>`

let user, window, owner

before(async () => {
  user = await desktop()
  const folder = join(user.peers, 'mira')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'goop.json'), JSON.stringify({ profile: { label: 'Mira' } }))
  const site = {}
  for (const name of Object.keys(FILES)) Object.assign(site, { [name]: await media(name), [`${name}.html`]: page(name) })
  owner = await Peer.start('Anselm', { config: { p2p: { mdns_tag: 'goop-mdns' } }, site })
  window = await user.open()
  await window.says('Anselm')
})

after(async () => {
  await window?.end()
  await user?.remove()
  await removeAll(owner)
})

const inSite = (look, ...args) => window.inSite(() => window.run(look, ...args))

for (const name of Object.keys(FILES)) {
  test(`${name} seeks`, async () => {
    await startAgain(`goop://${owner.id}/${name}.html`)
    await window.answer('Open')
    const state = () => inSite(() => {
      const media = document.querySelector('video, audio')
      return media && { title: document.title, duration: media.duration, error: media.error?.message, ready: media.readyState, at: media.currentTime, seeking: media.seeking }
    })
    const told = async () => JSON.stringify(await state())
    await until(`the length of ${name}`, async () => {
      const now = await state()
      assert.ok(!now?.error, now?.error)
      return now?.title === name && Math.abs(now.duration - SECONDS) < 1
    }, told)
    for (const to of PLACES) {
      await inSite((to) => void (document.querySelector('video, audio').currentTime = to), to)
      // Two of its states mean that what belongs there is shown: it has data, and is no longer on its way.
      await until(`${name} at ${to} s`, async () => {
        const { at, ready, seeking } = await state()
        return !seeking && ready >= 2 && Math.abs(at - to) < 1
      }, told)
    }
    const seekable = await inSite(() => {
      const { seekable } = document.querySelector('video, audio')
      return seekable.length && seekable.end(seekable.length - 1)
    })
    assert.ok(seekable > SECONDS - 2, `${seekable}`)
  })
}

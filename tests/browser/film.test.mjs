// A film of four gigabytes, of a visited site: a person goes to any place in it at once, and neither side holds more of it than
// what is shown.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promised } from '../support/promise.mjs'
import { launch, profile } from './lib/browser.mjs'
import { media, SECONDS, writeWithHole } from './lib/film.mjs'
import { Peer, removeAll } from './lib/peer.mjs'

const HOLE = 4_000_000_000
const SEEK_MS = 1000
/** What a transfer holds: windows of streams, buffers, and the files of the page. */
const MEMORY_MB = 60
/** Far apart, forwards and backwards; before the hole and after it. */
const PLACES = [55, 2, 40, 12, 59, 28]

let browser, visitor, owner

before(async () => {
  const site = {
    'index.html': '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>Film</title><video controls preload="metadata" src="film.mp4"></video>',
    'still.html': '<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>Still</title>',
  }
  ;[browser, visitor, owner] = await Promise.all([launch(), Peer.start('Visitor'), Peer.start('Owner', { site })])
  const length = await writeWithHole(join(owner.dir, 'site/film.mp4'), await media('film.mp4'), HOLE)
  assert.ok(length > HOLE)
  await visitor.join(owner)
})

after(async () => {
  await browser?.close()
  await removeAll(visitor, owner)
})

const loaded = (media) => media.readyState >= 1 || new Promise((done, fail) => {
  media.addEventListener('loadedmetadata', done, { once: true })
  media.addEventListener('error', () => fail(new Error(media.error.message)), { once: true })
})

/** How long it takes until the picture of this moment is shown, in ms. */
const seek = (media, to) => new Promise((done, fail) => {
  const since = performance.now()
  media.addEventListener('seeked', () => done(performance.now() - since), { once: true })
  media.addEventListener('error', () => fail(new Error(media.error.message)), { once: true })
  media.currentTime = to
})

test('seeks within a second, and both sides stay small', { timeout: 180_000 }, async () => {
  const tab = await (await profile(browser)).newPage()
  await tab.goto(await visitor.site(owner, '/still.html'))
  const sides = { visitor, owner }
  const idle = {}
  for (const [side, peer] of Object.entries(sides)) {
    idle[side] = await peer.memory('VmRSS')
    await peer.forgetPeak()
  }
  await tab.goto(await visitor.site(owner))
  const film = tab.locator('video')
  await film.evaluate(loaded)
  assert.equal(await film.evaluate((film) => Math.round(film.duration)), SECONDS)
  const times = []
  for (const to of PLACES) {
    times.push(await film.evaluate(seek, to))
    assert.ok(Math.abs((await film.evaluate((film) => film.currentTime)) - to) < 1)
  }
  promised('a seek in a visited film of 4 GB, the slowest', Math.max(...times), SEEK_MS)
  for (const [side, peer] of Object.entries(sides)) {
    const more = (await peer.memory('VmHWM')) - idle[side]
    promised(`memory of the ${side} for a film of 4 GB, above what it has when idle`, more, MEMORY_MB, 'MB')
  }
})

// From an empty start to a photo album: chosen, online, a picture added on the page itself, and seen by a second peer.
//
// With GOOP2_SHOTS=folder, each step leaves a picture of the window there.

import assert from 'node:assert/strict'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { launch, profile } from '../browser/lib/browser.mjs'
import { Peer, removeAll } from '../browser/lib/peer.mjs'
import { top } from '../browser/lib/program.mjs'
import { promised } from '../support/promise.mjs'
import { desktop } from './lib/app.mjs'
import { until } from './lib/driver.mjs'

const shots = process.env.GOOP2_SHOTS
/** Seconds that a person takes for all of it at most; the steps here take none of their time. */
const PERSON = 120

let user, window, neighbour, browser, id, picture
const begun = performance.now()

before(async () => {
  user = await desktop()
  picture = join(user.home, 'heron.png')
  await copyFile(join(top, 'icons/icon.png'), picture)
  if (shots) await mkdir(shots, { recursive: true })
  ;[browser, neighbour] = await Promise.all([launch(), Peer.start('Anselm — field notes', { from: 'peers/neighbour', config: { p2p: { mdns_tag: 'goop-mdns' } } })])
})

after(async () => {
  await browser?.close()
  await window?.end()
  await user?.remove()
  await removeAll(neighbour)
})

async function step(name) {
  if (shots) await writeFile(join(shots, `album-${name}.png`), Buffer.from(await window.screenshot(), 'base64'))
}

test('a new user chooses the photo album', async () => {
  window = await user.open()
  await (await window.find('textbox', 'Name')).fill('Mira Sol')
  await step('1-name')
  await window.press('button', 'Next')
  await window.find('button', /^Photo album/)
  await step('2-question')
  await window.press('button', /^Photo album/)
  await window.find('dialog', 'Photo album')
  await window.says('photos')
  await step('3-preview')
  await window.press('button', 'Use this')
  await window.says('Go online?')
  await step('4-offline')
})

test('and goes online with it', async () => {
  neighbour.forget()
  await window.anew(() => window.press('button', 'Go online'))
  await window.find('dialog', 'Your site is online')
  await window.says(/goop:\/\/k51/)
  await step('5-online')
  await neighbour.event((event) => event.event === 'peer' && event.label === 'Mira Sol' && event.state === 'online')
  const { peers } = await neighbour.api('api/snapshot')
  id = peers.find(({ label }) => label === 'Mira Sol').id
  await window.answer('Close')
})

test('a picture is added on the page itself', async () => {
  await window.inSite(async () => {
    await window.says('This album is empty.')
    await (await window.element('#choose')).type(picture)
    await window.says('1 picture added.')
    await until('the picture', () => window.run(() => document.querySelector('#photos img')?.naturalWidth > 0))
  })
  await step('6-picture')
})

test('and the neighbor sees it, without the owner’s buttons', async () => {
  const page = await (await profile(browser)).newPage()
  await page.goto(await neighbour.site({ id }))
  const shown = page.locator('#photos img')
  await shown.waitFor()
  await page.waitForFunction(() => document.querySelector('#photos img')?.naturalWidth > 0)
  assert.equal(await page.getByRole('button', { name: /^(Caption|Remove)/ }).count(), 0)
  assert.equal(await page.locator('#choose').isVisible(), false)
  if (shots) await page.screenshot({ path: join(shots, 'album-7-neighbor.png') })
  promised('from an empty start to an album that is read', (performance.now() - begun) / 1000, PERSON, 's')
})

// "View as a visitor": the owner sees the site as somebody does whom it doesn't know, and may do no more than they may.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { Peer, removeAll } from './lib/peer.mjs'
import { usable } from './lib/page.mjs'
import { starter } from './lib/starters.mjs'

let browser, owner, window, page, frame

before(async () => {
  ;[browser, owner] = await Promise.all([launch(), starter('guestbook').then((site) => Peer.start('Mira', site))])
  window = await Window.open(await profile(browser, { reducedMotion: 'reduce' }), owner)
  page = window.page
  await owner.api('api/data/insert', { table: 'guestbook', data: { name: 'Mira', message: 'Written by its owner' } })
  frame = page.frameLocator('iframe[title="Your site as a visitor sees it"]')
})

after(async () => {
  await browser?.close()
  await removeAll(owner)
})

const button = (name) => page.getByRole('button', { name, exact: true })

test('a visitor has none of the owner’s buttons', async () => {
  const own = await (await profile(browser)).newPage()
  await own.goto(await owner.site(owner))
  await own.getByRole('button', { name: /^Remove/ }).waitFor()
  await own.context().close()
  await window.show('My site')
  await button('View as a visitor').click()
  await frame.getByText('Written by its owner').waitFor()
  await frame.getByRole('button', { name: 'Sign' }).waitFor()
  assert.equal(await frame.getByRole('button', { name: /^Remove|^Edit/ }).count(), 0)
  await usable(page)
})

test('what is sent there is of a visitor, who may take it back', async () => {
  await frame.getByLabel('Message').fill('As somebody else')
  await frame.getByRole('button', { name: 'Sign' }).click()
  await frame.getByText('As somebody else').waitFor()
  const rows = await owner.rows('guestbook')
  assert.deepEqual(rows.map(({ message }) => message).sort(), ['As somebody else', 'Written by its owner'])
  assert.notEqual(rows.find(({ message }) => message === 'As somebody else')._owner, owner.id)
  await frame.getByRole('button', { name: /^Remove/ }).waitFor()
  assert.equal(await frame.getByRole('button', { name: /^Remove/ }).count(), 1)
})

test('back on My site, the owner sees it as any other entry', async () => {
  await button('Back to my site').click()
  await page.getByRole('tab', { name: 'Tables' }).click()
  await page.getByRole('button', { name: /^guestbook/ }).click()
  await page.getByText('As somebody else').waitFor()
})

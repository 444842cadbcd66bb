// One identity on two computers: what both owners and the administrator of their rendezvous see, and the way out.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { Peer, removeAll } from './lib/peer.mjs'
import { administration, Rendezvous } from './lib/rendezvous.mjs'

let browser, server, first, copy, window

before(async () => {
  ;[browser, server] = await Promise.all([launch(), Rendezvous.start()])
  first = await Peer.start('Mira’s corner', { config: { presence: { rendezvous_wan: server.url, heartbeat_seconds: 1 } } })
  copy = await first.copy()
  assert.equal(copy.id, first.id)
})

after(async () => {
  await browser?.close()
  await removeAll(first, copy, server)
})

test('both owners see a notice', async () => {
  for (const peer of [first, copy]) {
    window = await Window.open(await profile(browser), peer)
    await window.page.getByText('Another computer, or another copy of your folder, is online with your identity.').waitFor()
  }
})

test('so does the administrator of the rendezvous', async () => {
  const { page } = await administration(browser, server)
  const peer = page.getByRole('list', { name: 'Peers', exact: true }).getByRole('listitem').filter({ hasText: first.id })
  await peer.getByText('Online on two computers, or as two copies of one folder.').waitFor()
  await page.close()
})

test('one of the two takes a new identity, after a question', async () => {
  const { page } = window
  const ask = () => page.getByRole('button', { name: 'New identity…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Give this site a new identity?' })
  await ask()
  await page.keyboard.press('Enter')
  await dialog.waitFor({ state: 'detached' })
  assert.equal((await copy.api('api/snapshot')).me.id, first.id, 'the first answer changes nothing')
  await ask()
  await dialog.getByRole('button', { name: 'New identity' }).click()
  await dialog.waitFor({ state: 'detached' })
  await first.event(({ event, state, peer_id }) => event === 'peer' && state === 'online' && peer_id !== first.id)
})

// What the window says about the network: the verdict, the details, a report, and the connection to a peer.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { usable } from './lib/page.mjs'
import { Peer, removeAll } from './lib/peer.mjs'

let browser, visitor, host, window, page

before(async () => {
  ;[browser, visitor, host] = await Promise.all([launch(), Peer.start('Visitor'), Peer.start('Host', { site: { 'index.html': '<!doctype html><html lang="en"><title>Host</title><h1>Host</h1>' } })])
  await visitor.join(host)
  const context = await profile(browser)
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: visitor.url.slice(0, -1) })
  window = await Window.open(context, visitor)
  page = window.page
})

after(async () => {
  await browser?.close()
  await removeAll(visitor, host)
})

test('the page shows the facts that the peer reports', async () => {
  await window.show('Network')
  const { network } = await visitor.api('api/snapshot')
  assert.ok(network.facts.length > 0)
  await page.getByRole('heading', { level: 2 }).filter({ hasText: network.headline }).waitFor()
  const facts = page.getByRole('list', { name: 'Details' })
  for (const { title, detail, remedy } of network.facts) {
    const fact = facts.getByRole('listitem').filter({ has: page.getByRole('heading', { level: 3, name: title }) })
    await fact.getByText(detail).waitFor()
    if (remedy) await fact.getByText(remedy).waitFor()
  }
  await page.getByRole('button', { name: 'Test again' }).click()
  await usable(page)
})

test('a report leaves out names and addresses, unless asked to include them', async () => {
  const [address] = (await visitor.api('api/snapshot')).me.listen
  assert.ok(address, 'a peer with an address in some network')
  const [, , ip] = address.split('/')
  await page.getByRole('button', { name: 'Copy report…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Network report' })
  await dialog.getByRole('region', { name: 'Report' }).filter({ hasText: 'Goop2 ' }).waitFor()
  const copied = async () => {
    await dialog.getByRole('button', { name: 'Copy report' }).click()
    await dialog.getByRole('button', { name: 'Copied' }).waitFor()
    return page.evaluate(() => navigator.clipboard.readText())
  }
  assert.ok(!(await copied()).includes(ip))
  await dialog.getByRole('checkbox').uncheck()
  await dialog.getByRole('region', { name: 'Report' }).filter({ hasText: ip }).waitFor()
  await usable(page)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
  await page.getByRole('heading', { level: 1, name: 'Network' }).waitFor()
})

test('the connection to a peer, and recent attempts', async () => {
  await window.visit(visitor, host)
  const badge = window.toolbar.getByRole('button', { name: /^Connection:/ })
  await badge.filter({ hasText: 'Direct' }).waitFor()
  await badge.click()
  const dialog = page.getByRole('dialog', { name: 'Connection to Host' })
  const reach = await visitor.api('api/network/reach', { peer: host.id })
  assert.equal(reach.links[0].path.relay, null)
  await dialog.getByText(reach.links[0].remote, { exact: true }).first().waitFor()
  for (const { what } of reach.attempts) await dialog.getByText(what).first().waitFor()
  await usable(page)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
})

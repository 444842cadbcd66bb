// Finding people beyond the local network, as a user does: host with a switch, paste a connect URL, leave again, register.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { unusedPort } from '../support/port.mjs'
import { launch, profile, Window } from './lib/browser.mjs'
import { scan, usable } from './lib/page.mjs'
import { Peer, removeAll } from './lib/peer.mjs'
import { Rendezvous } from './lib/rendezvous.mjs'

const presence = { ttl_seconds: 3, heartbeat_seconds: 1 }

let browser, host, guest, members, port, url
let hosting, joining

before(async () => {
  ;[browser, host, guest, members, port] = await Promise.all([
    launch(),
    Peer.start('Host', { config: { presence } }),
    Peer.start('Guest', { site: { 'index.html': '<h1>Guest</h1>' }, config: { presence } }),
    Rendezvous.start({ rendezvous_bind: '127.0.0.1', registration_required: true, peer_db_path: 'data/peers.db' }),
    unusedPort(),
  ])
  url = `http://${process.env.LAN}:${port}`
  ;[hosting, joining] = await Promise.all([host, guest].map((peer) => opened(peer)))
})

after(async () => {
  await browser?.close()
  await removeAll(host, guest, members)
})

async function opened(peer) {
  const context = await profile(browser)
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: peer.url.slice(0, -1) })
  const window = await Window.open(context, peer)
  await window.show('Rendezvous')
  return new Page(window)
}

/** The page about rendezvous. */
class Page {
  constructor(window) {
    this.window = window
    this.page = window.page
    this.field = this.page.getByRole('textbox', { name: 'Connect URL' })
    this.connect = this.page.getByRole('button', { name: 'Connect', exact: true })
    this.toggle = this.page.getByRole('switch', { name: 'Host a rendezvous' })
  }

  row(name) {
    return this.page.getByRole('list', { name: 'Joined', exact: true }).getByRole('listitem').filter({ hasText: name })
  }

  async on(is) {
    await this.page.getByRole('switch', { name: 'Host a rendezvous', checked: is }).waitFor()
  }
}

describe('hosting a rendezvous', () => {
  test('takes one switch, at the chosen port', async () => {
    const { page } = hosting
    await usable(page)
    await page.getByText('Port and address').click()
    const field = page.getByRole('textbox', { name: 'Port', exact: true })
    await field.fill('70000')
    await page.getByText('Enter a number from 1 to 65535.').waitFor()
    await hosting.toggle.click()
    await hosting.on(false)
    await field.fill(String(port))
    await hosting.toggle.click()
    await hosting.on(true)
    await page.getByRole('list', { name: 'Connect URLs' }).getByText(url).waitFor()
    await host.event((event) => event.event === 'hosting' && event.state === 'on' && event.connect_urls.includes(url))
  })

  test('shows a connect URL to copy and as a QR code', async () => {
    const { page } = hosting
    await page.getByRole('button', { name: `Copy ${url}` }).click()
    await page.getByText('Copied').first().waitFor()
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), url)
    await page.getByRole('button', { name: `QR code of ${url}` }).click()
    assert.equal(await scan(page, page.getByRole('dialog').getByRole('img', { name: `QR code of ${url}` })), url)
    await usable(page)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), `QR code of ${url}`)
  })

  test('has a public page, and an administration page behind a generated password', async () => {
    const { page } = hosting
    const [shown] = await Promise.all([page.context().waitForEvent('page'), page.getByRole('button', { name: 'Open public page' }).click()])
    await shown.getByRole('heading', { name: 'Rendezvous' }).waitFor()
    await shown.getByText(url).first().waitFor()
    const [admin] = await Promise.all([page.context().waitForEvent('page'), page.getByRole('button', { name: 'Open administration' }).click()])
    await page.bringToFront()
    await page.getByRole('button', { name: 'Copy admin password' }).click()
    await page.getByRole('button', { name: 'Copied', exact: true }).waitFor()
    const password = await page.evaluate(() => navigator.clipboard.readText())
    await admin.getByLabel('Password').fill(password)
    await admin.getByRole('button', { name: 'Sign in' }).click()
    await admin.getByText('Host').first().waitFor()
    await Promise.all([shown.close(), admin.close()])
  })
})

describe('joining a rendezvous', () => {
  test('works with the address of any of its pages, and its peers appear', async () => {
    const { page } = joining
    await joining.field.fill(`  ${url}/register/ `)
    await page.getByText(`Connects to ${url}`).waitFor()
    await joining.field.press('Enter')
    await joining.row(url.slice('http://'.length)).getByText('Connected · 1 peer').waitFor()
    await joining.window.row('Other networks', 'Host').waitFor()
    await hosting.window.row('Other networks', 'Guest').waitFor()
    await guest.event((event) => event.event === 'rendezvous' && event.url === url && event.state === 'connected')
    await usable(page)
  })

  test('refuses an invalid address while it is typed', async () => {
    const { page } = joining
    await joining.field.fill('ftp://somewhere.example')
    await page.getByText('the address with https:// or http://').waitFor()
    await Promise.all([page.waitForResponse('**/api/rendezvous/join'), joining.connect.click()])
    await joining.field.and(page.locator('[aria-invalid=true]')).waitFor()
    await joining.field.fill('')
  })

  test('reports an address without a rendezvous', async () => {
    const { page } = joining
    await joining.field.fill(guest.url)
    await joining.connect.click()
    await page.getByText('There is no rendezvous at').waitFor()
    assert.equal(await joining.row(new URL(guest.url).host).count(), 0)
    await joining.field.fill('')
  })

  test('ends by leaving; after a reload, one click joins again', async () => {
    const { page, window } = joining
    const name = url.slice('http://'.length)
    await joining.row(name).getByRole('button', { name: `Leave ${name}` }).click()
    await joining.row(name).waitFor({ state: 'detached' })
    await guest.event((event) => event.event === 'rendezvous' && event.state === 'left')
    await window.row('Seen earlier', 'Host').waitFor()
    await page.reload()
    await window.show('Rendezvous')
    await page.getByRole('list', { name: 'Joined before' }).getByRole('button', { name, exact: true }).click()
    await joining.row(name).getByText('Connected').waitFor()
  })

  test('survives a server that stops and comes back', async () => {
    const name = url.slice('http://'.length)
    await hosting.toggle.click()
    await hosting.on(false)
    await joining.row(name).getByText('Goop2 keeps trying.').waitFor()
    await host.event((event) => event.event === 'hosting' && event.state === 'off')
    await hosting.toggle.click()
    await hosting.on(true)
    await joining.row(name).getByText('Connected').waitFor()
  })
})

test('a required registration is requested, confirmed and shown', async () => {
  const { page } = joining
  await joining.field.fill(members.url)
  await joining.connect.click()
  const row = joining.row(members.url.slice('http://'.length))
  await row.getByText('nobody there can see you').waitFor()
  await usable(page)
  const email = row.getByRole('textbox', { name: /^Your email address/ })
  await email.fill('nobody')
  await row.getByRole('button', { name: 'Register' }).click()
  await row.getByText('Enter an email address').waitFor()
  await email.fill('guest@example.org')
  await row.getByRole('button', { name: 'Register' }).click()
  await row.getByText('is not confirmed yet').waitFor()

  const confirming = await page.context().newPage()
  await confirming.goto(/pass on this verification link: (\S+)/.exec((await members.operator('/logs.json')).join('\n'))[1])
  await confirming.getByRole('button', { name: 'Yes, verify it' }).click()
  await confirming.getByRole('heading', { name: 'Verified' }).waitFor()
  await confirming.close()
  await row.getByText('· registered').waitFor()
  assert.equal(await email.count(), 0)
  await guest.event((event) => event.event === 'rendezvous' && event.url === members.url && event.registration === 'registered')
})

test('everything works by keyboard alone', async () => {
  const window = await Window.open(await profile(browser), guest)
  const { page } = window
  const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.getAttribute('aria-label') || '')
  const tabTo = async (name) => {
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press('Tab')
      if ((await focused()).trim() === name) return
    }
    assert.fail(`${name} was not reached; the focus is on ${await focused()}`)
  }
  await tabTo('Rendezvous')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'Rendezvous' }).waitFor()
  assert.equal(await focused(), 'Rendezvous')
  await tabTo('Connect URL')
  await page.keyboard.type(url)
  await tabTo('Host a rendezvous')
  await page.keyboard.press('Shift+Tab')
  await tabTo('Host a rendezvous')
  await tabTo('Port and address')
  await page.keyboard.press('Enter')
  await page.getByRole('textbox', { name: 'Port', exact: true }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('heading', { level: 1, name: 'Rendezvous' }).waitFor({ state: 'detached' })
  assert.equal((await focused()).trim(), 'Rendezvous', 'the focus is where it came from')
})

// The pages of a rendezvous server for everyone: what to paste, and how to register.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { launch } from './lib/browser.mjs'
import { open, runsNothing, scan, sound } from './lib/page.mjs'
import { Peer, removeAll } from './lib/peer.mjs'
import { administration, peerId, Rendezvous } from './lib/rendezvous.mjs'

/** The other address of this computer, set up by `isolated`; browsers treat http there as less secure than on 127.0.0.1. */
const { LAN } = process.env

let browser, server, members, quiet, peer

before(async () => {
  ;[browser, server, members, quiet] = await Promise.all([
    launch(),
    Rendezvous.start(),
    Rendezvous.start({ registration_required: true, peer_db_path: 'data/peers.db', external_url: 'https://meet.example.org/' }),
    Rendezvous.start({ rendezvous_bind: '127.0.0.1', admin_password: '' }),
  ])
  peer = await Peer.start('Mira’s corner', { config: { presence: { rendezvous_wan: server.url } } })
})

after(async () => {
  await browser?.close()
  await removeAll(peer, server, members, quiet)
})

describe('the public page', () => {
  test('says how to connect, and how many are online', async () => {
    await server.publish({ peerId: peerId('guest'), content: 'Guest' })
    await peer.event(({ event, label }) => event === 'peer' && label === 'Guest')
    while ((await server.operator('/peers.json')).length < 2) await sleep(50) // the page itself is not updated
    const { page, odd } = await open(browser, server.url)
    await page.getByText('2 peers online').waitFor()
    assert.deepEqual(server.connectUrls, [`http://${LAN}:${server.port}`])
    assert.deepEqual(await page.locator('.url').allTextContents(), server.connectUrls)
    const link = page.getByRole('link', { name: 'Open in Goop2' })
    const address = new URL(await link.getAttribute('href'))
    assert.deepEqual([address.protocol, address.host, address.searchParams.get('url')], ['goop:', 'connect', server.connectUrls[0]])
    assert.equal(await page.getByRole('link', { name: 'Register an address' }).count(), 0)
    await sound(page, 'public page')
    assert.deepEqual(odd, [])
  })

  test('has the address as a QR code', async () => {
    const { page } = await open(browser, server.url, { viewport: { width: 375, height: 720 } })
    const code = page.getByRole('img', { name: `QR code of ${server.connectUrls[0]}` })
    assert.equal(await code.isVisible(), false)
    await page.getByText('QR code', { exact: true }).click()
    assert.equal(await scan(page, code), server.connectUrls[0])
    await page.emulateMedia({ colorScheme: 'dark' })
    assert.equal(await scan(page, code), server.connectUrls[0])
    await sound(page, 'public page with QR code')
  })

  test('copies the address, with and without a secure context', async () => {
    for (const url of [server.url, server.connectUrls[0]]) {
      const { page, context } = await open(browser, url)
      if (url === server.url) await context.grantPermissions(['clipboard-read', 'clipboard-write'])
      assert.equal(await page.evaluate(() => isSecureContext), url === server.url)
      await page.getByRole('button', { name: 'Copy' }).click()
      await page.getByRole('status').filter({ hasText: 'Copied' }).waitFor()
      const field = await context.newPage()
      await field.setContent('<textarea autofocus></textarea>')
      await field.locator('textarea').press('Control+V')
      assert.equal(await field.locator('textarea').inputValue(), server.connectUrls[0])
    }
  })

  test('works with the keyboard', async () => {
    const { page, context } = await open(browser, server.url)
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    const focused = () => page.evaluate(() => document.activeElement.textContent)
    const order = []
    for (let step = 0; step < 6; step++) {
      await page.keyboard.press('Tab')
      order.push(await focused())
      assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none', order.at(-1))
      if (order.at(-1) === 'Copy') {
        await page.keyboard.press('Enter')
        await page.getByRole('status').filter({ hasText: 'Copied' }).waitFor()
      }
      if (order.at(-1) === 'QR code') await page.keyboard.press('Space')
    }
    assert.deepEqual(order, ['Open in Goop2', 'Copy', 'QR code', 'Rendezvous', 'Help', 'Administration'])
    await page.getByRole('img', { name: /^QR code of/ }).waitFor()
  })

  test('shows only the external address, and where to register', async () => {
    const { page, odd } = await open(browser, members.url)
    assert.deepEqual(await page.locator('.url').allTextContents(), ['https://meet.example.org'])
    assert.equal(await page.getByText('http://').count(), 0)
    await page.getByRole('link', { name: 'Register an address' }).click()
    await page.getByRole('heading', { name: 'Register' }).waitFor()
    assert.deepEqual(odd, [])
  })

  test('says when nobody else can connect, and how to change that', async () => {
    const { page, odd } = await open(browser, quiet.url)
    await page.getByText('Only this computer can reach this rendezvous').waitFor()
    await page.getByText('leave presence.rendezvous_bind empty').waitFor()
    assert.deepEqual([await page.locator('.url').count(), await page.getByRole('button').count()], [0, 0])
    await sound(page, 'public page of a closed server')
    assert.deepEqual(odd, [])
  })

  test('says where to get Goop2 when no app opens', async () => {
    const { page, odd } = await open(browser, server.url)
    await page.getByRole('link', { name: 'Open in Goop2' }).first().click()
    const get = page.locator('output').getByRole('link', { name: 'Get Goop2' })
    await get.waitFor()
    assert.equal(await get.getAttribute('href'), '#new')
    assert.deepEqual(odd.map((url) => new URL(url).protocol), ['goop:'], 'what this browser has no app for')
  })

  test('links to help', async () => {
    const { page, odd } = await open(browser, `${server.url}/docs`)
    for (const name of ['Join a rendezvous', 'Host a rendezvous', 'What it knows']) {
      await page.getByRole('navigation', { name: 'Documentation' }).getByRole('link', { name }).click()
      await page.getByRole('heading', { level: 1, name }).waitFor()
      await sound(page, name)
    }
    assert.deepEqual(odd, [])
  })

  test('runs no script but its own', async () => {
    for (const url of [server.url, `${server.url}/docs/join`, `${members.url}/register`, `${members.url}/verify?token=x`, `${server.url}/admin`, `${quiet.url}/admin`]) {
      const { page, odd, headers } = await open(browser, url)
      assert.deepEqual(odd, [])
      await runsNothing(page, headers)
    }
  })
})

describe('registration', () => {
  const mine = 'o’hara+goop&co@example.org'
  const me = { peerId: peerId('member'), content: 'Member', email: mine }
  const seen = async () => (await members.operator('/peers.json')).map((one) => one.peer_id)
  let page, odd, link

  before(async () => {
    ;({ page, odd } = await open(browser, `${members.url}/register`))
  })

  test('asks for an address', async () => {
    await sound(page, 'register page')
    await page.getByRole('button', { name: 'Send me a link' }).click()
    assert.equal(await page.getByLabel('Email address').evaluate((field) => field.validity.valueMissing), true)
    await page.getByLabel('Email address').fill('me@nowhere')
    await page.getByLabel('Email address').press('Enter')
    await page.getByRole('alert').filter({ hasText: 'That isn’t a valid email address.' }).waitFor()
    assert.equal(await page.getByLabel('Email address').inputValue(), 'me@nowhere')
    await page.getByLabel('Email address').evaluate((field) => { field.type = 'text' })
    await page.getByLabel('Email address').fill('"><img src=x onerror=alert(1)>@example.org')
    // The page before says the same.
    await Promise.all([page.waitForEvent('framenavigated'), page.keyboard.press('Enter')])
    await page.getByRole('alert').filter({ hasText: 'That isn’t a valid email address.' }).waitFor()
    assert.equal(await page.getByLabel('Email address').inputValue(), '"><img src=x onerror=alert(1)>@example.org')
    await sound(page, 'register page with a problem')
  })

  test('sends a link, to the administrator if there is no mail server', async () => {
    assert.equal(await members.publish(me), 204)
    assert.deepEqual(await seen(), [])
    // Browsers reject these letters in an email field; mail servers accept them.
    await page.getByLabel('Email address').evaluate((field) => { field.type = 'text' })
    await page.getByLabel('Email address').fill(mine)
    await page.getByRole('button', { name: 'Send me a link' }).click()
    await page.getByRole('heading', { name: 'Almost there' }).waitFor()
    await page.getByText('Its administrator has your link').waitFor()
    await sound(page, 'page after registering')
    const log = (await members.operator('/logs.json')).join('\n')
    link = /https:\/\/meet\.example\.org(\/verify\?token=\S+)/.exec(log)[1]
    await page.goto(members.url + link)
    await page.getByText(mine, { exact: true }).waitFor()
  })

  test('waits for a person: programs that read mail open links too', async () => {
    for (let scanner = 0; scanner < 3; scanner++) assert.equal((await fetch(members.url + link)).status, 200)
    assert.equal(await members.publish(me), 204)
    assert.deepEqual(await seen(), [])
    await sound(page, 'page of the link')
  })

  test('takes one button', async () => {
    await page.getByRole('button', { name: 'Yes, verify it' }).click()
    await page.getByRole('heading', { name: 'Verified' }).waitFor()
    await page.getByText(mine, { exact: true }).waitFor()
    await sound(page, 'page after verifying')
    assert.equal(await members.publish(me), 204)
    assert.deepEqual(await seen(), [me.peerId])
    assert.equal(await members.publish({ ...me, peerId: peerId('somebody else') }), 204)
    assert.deepEqual(await seen(), [me.peerId])
  })

  test('works once', async () => {
    for (const used of [link, '/verify?token=guessed', '/verify']) {
      await page.goto(members.url + used)
      await page.getByRole('heading', { name: 'This link is not valid' }).waitFor()
      assert.deepEqual([(await fetch(members.url + used)).status, await page.getByRole('link', { name: 'Ask for a new link' }).getAttribute('href')], [400, 'register'])
    }
    await sound(page, 'page of a used link')
    assert.deepEqual(odd, [])
  })

  test('can be undone by the administrator', async () => {
    const { page, odd } = await administration(browser, members)
    const registered = page.getByRole('list', { name: 'Registrations' }).getByRole('listitem')
    await registered.filter({ hasText: mine }).getByText('verified', { exact: true }).waitFor()
    await registered.getByText(me.peerId).waitFor()
    page.once('dialog', (dialog) => dialog.dismiss())
    await page.getByRole('button', { name: `Remove ${mine}` }).click()
    assert.equal(await registered.count(), 1)
    page.once('dialog', (dialog) => dialog.accept())
    await page.getByRole('button', { name: `Remove ${mine}` }).click()
    await registered.waitFor({ state: 'detached' })
    await page.getByRole('region', { name: 'Registrations' }).getByText('None.').waitFor()
    await page.getByText(`${mine} removed by the administrator`).waitFor()
    assert.deepEqual(odd, [])
  })
})

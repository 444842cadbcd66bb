// What people mostly do: someone comes online, you visit their site, read it and sign the guestbook, and they go offline again.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { link } from './lib/link.mjs'
import { scan } from './lib/page.mjs'
import { guestbook, Peer, removeAll } from './lib/peer.mjs'

const page = (title, text) => `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title><h1>${title}</h1>${text}`
/** Who says nothing for this long is gone. */
const presence = { ttl_seconds: 3, heartbeat_seconds: 1 }

let browser, context, visitor, neighbour, window

before(async () => {
  ;[browser, visitor, neighbour] = await Promise.all([
    launch(),
    Peer.start('Visitor', { site: { 'index.html': page('My own', '') }, config: { presence } }),
    // The one that `make run` shows.
    Peer.start('Anselm — field notes', { from: 'peers/neighbour', config: { presence } }),
  ])
  context = await profile(browser)
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: visitor.url.slice(0, -1) })
  window = await Window.open(context, visitor)
})

after(async () => {
  await browser?.close()
  await removeAll(visitor, neighbour)
})

const shown = (text) => window.address.filter({ hasText: text }).waitFor()
const copied = () => window.page.evaluate(() => navigator.clipboard.readText())

describe('who is online', () => {
  test('nobody at first, and what to do about it', async () => {
    await window.page.getByText('Nobody nearby yet.').waitFor()
    await window.page.getByRole('heading', { name: 'What to do next' }).waitFor()
  })

  test('a neighbor, added by address in the window', async () => {
    const address = neighbour.listen.find((text) => text.startsWith('/ip4/127.0.0.1/tcp/'))
    await window.page.getByRole('complementary').getByRole('button', { name: 'Add by address' }).click()
    const dialog = window.page.getByRole('dialog', { name: 'Add by address' })
    await dialog.getByRole('textbox', { name: 'Address' }).fill('somewhere')
    await dialog.getByRole('button', { name: 'Add and visit' }).click()
    await dialog.getByRole('alert').waitFor()
    await dialog.getByRole('textbox', { name: 'Address' }).fill(address.includes('/p2p/') ? address : `${address}/p2p/${neighbour.id}`)
    await window.arrival(await visitor.site(neighbour), () => dialog.getByRole('button', { name: 'Add and visit' }).click())
    await dialog.waitFor({ state: 'hidden' })
    await window.row('Nearby', 'Anselm — field notes').waitFor()
    await window.page.getByTitle('Welcome page').click()
    await window.page.getByRole('heading', { name: 'Online now' }).waitFor()
  })

  test('has a link that a phone can scan, as the user does', async () => {
    const read = async (button, link) => {
      await button.click()
      assert.equal(await scan(window.page, window.page.getByRole('img', { name: `QR code of ${link}` })), link)
      await window.page.keyboard.press('Escape')
    }
    await read(window.page.getByRole('button', { name: 'QR code of my link' }), link(visitor.id))
    await window.row('Nearby', 'Anselm — field notes').click({ button: 'right' })
    await read(window.page.getByRole('button', { name: 'QR code', exact: true }), link(neighbour.id))
    await window.page.keyboard.press('Escape')
    await window.page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  test('can be searched by name', async () => {
    await window.search.fill('nobody of this name')
    await window.page.getByText('Nobody here has that name.').waitFor()
    await window.search.fill('ansel')
    await window.row('Nearby', 'Anselm — field notes').waitFor()
    await window.search.fill('')
  })
})

describe('a visit', () => {
  test('shows the page of the peer that was clicked', async () => {
    await window.row('Nearby', 'Anselm — field notes').click()
    await window.site.getByRole('heading', { level: 1 }).waitFor()
    await shown('Anselm — field notes')
    assert.equal(await window.page.getByRole('navigation', { name: 'Peers' }).locator('[aria-current=page]').count(), 1)
  })

  test('follows links, back, forward and reload', async () => {
    await window.site.getByRole('link', { name: 'Guestbook' }).first().click()
    await window.site.getByRole('heading', { name: 'Guestbook' }).waitFor()
    await shown('/guestbook.html')
    await window.arrival(await visitor.site(neighbour), () => window.back.click())
    await shown(/(?<!guestbook\.html)$/)
    await window.forward.click()
    await window.site.getByRole('heading', { name: 'Guestbook' }).waitFor()
    await shown('/guestbook.html')
    await window.site.getByRole('heading', { name: 'Guestbook' }).evaluate((heading) => heading.replaceChildren('changed by hand'))
    await window.reload.click()
    await window.site.getByRole('heading', { name: 'Guestbook' }).waitFor()
  })

  test('can sign the guestbook', async () => {
    // Its script says so, which from then on takes the form.
    await window.site.getByText('No entries yet.').waitFor()
    await window.site.getByRole('textbox', { name: 'Your name' }).fill('Mira')
    await window.site.getByRole('textbox', { name: 'Your message' }).fill('The heron picture! <b>👋</b>')
    await window.site.getByRole('button', { name: 'Sign' }).click()
    await window.site.getByRole('list', { name: /Entries/ }).getByText('The heron picture! <b>👋</b>').waitFor()
    const rows = await neighbour.rows('guestbook')
    assert.deepEqual(rows.map((row) => [row._owner, row.name, row.message]), [[visitor.id, 'Mira', 'The heron picture! <b>👋</b>']])
  })

  test('can remove your own entry', async () => {
    await window.site.getByRole('button', { name: 'Remove the entry by Mira' }).click()
    await window.site.getByText('No entries yet.').waitFor()
    assert.deepEqual(await neighbour.rows('guestbook'), [])
  })

  test('has a link to share', async () => {
    await window.copyLink.click()
    await window.toolbar.getByRole('button', { name: 'Copied' }).waitFor()
    assert.equal(await copied(), link(neighbour.id, '/guestbook.html'))
  })

  test('continues in another browser', async () => {
    const opened = context.waitForEvent('page')
    await window.toolbar.getByRole('button', { name: 'Open in browser' }).click()
    const tab = await opened
    await tab.waitForURL(await visitor.site(neighbour, '/guestbook.html'))
    await tab.getByRole('heading', { name: 'Guestbook' }).waitFor()
    assert.equal(await tab.evaluate(() => opener), null)
    await tab.close()
  })

  test('shows your own site', async () => {
    await window.page.getByRole('complementary').getByRole('button', { name: /^Visitor/ }).click()
    await window.page.getByRole('button', { name: 'Open my site' }).click()
    await window.site.getByRole('heading', { name: 'My own' }).waitFor()
    await shown('Visitor')
  })
})

describe('an address', () => {
  const spellings = {
    'as it is copied': () => link(neighbour.id, '/2026/pond.html'),
    'goop://': () => `goop://${neighbour.id}/2026/pond.html`,
    'goop:// with spaces around it': () => `  goop://${neighbour.id}/2026/pond.html `,
    'of the viewer': () => `http://127.0.0.1:${visitor.port}/p/${neighbour.id}/2026/pond.html`,
    'of somebody else’s viewer': () => `http://localhost:8080/p/${neighbour.id}/2026/pond.html`,
    'of the site’s origin': () => visitor.site(neighbour, '/2026/pond.html'),
    'with a query and a fragment': () => `goop://${neighbour.id}/2026/pond.html?a=%20b#there`,
  }
  for (const [name, spelling] of Object.entries(spellings)) {
    test(`${name} is understood`, async () => {
      await window.page.getByTitle('Welcome page').click()
      await window.go(await spelling())
      await shown('/2026/pond.html')
      await window.site.getByRole('heading', { level: 1 }).waitFor()
    })
  }

  test('that is only a peer id leads to the front page', async () => {
    await window.arrival(await visitor.site(neighbour), () => window.go(neighbour.id))
    await shown('Anselm')
  })

  test('typed into the bar', async () => {
    await window.address.click()
    const bar = window.toolbar.getByRole('textbox', { name: 'Address' })
    assert.equal(await bar.inputValue(), link(neighbour.id))
    await bar.fill(`goop://${neighbour.id}/guestbook.html`)
    await bar.press('Enter')
    await window.site.getByRole('heading', { name: 'Guestbook' }).waitFor()
    await shown('/guestbook.html')
  })

  test('that is not understood is explained, and the page stays', async () => {
    for (const text of ['goop://nobody/', 'https://example.org/', `goop://${neighbour.id.slice(0, -1)}/`]) {
      await window.go(text)
      const alert = window.page.getByRole('complementary').getByRole('alert')
      await alert.waitFor()
      assert.match(await alert.textContent(), /[a-z]{3}.*\./)
      await window.search.fill('')
    }
    await shown('/guestbook.html')
  })
})

describe('when things go wrong', () => {
  test('a page that does not exist says so', async () => {
    await window.go(`goop://${neighbour.id}/no-such-page.html`)
    await window.site.getByRole('heading', { name: 'Page not found' }).waitFor()
    await window.site.getByText('This site has no page at this address.').waitFor()
  })

  test('what a page says of that is dark in the dark', async () => {
    const ground = () => window.site.locator('body').evaluate((body) => getComputedStyle(body).backgroundColor)
    // With its style sheet.
    await window.site.locator('body').evaluate(() => document.readyState === 'complete' || new Promise((done) => addEventListener('load', done, { once: true })))
    const light = await ground()
    await window.page.emulateMedia({ colorScheme: 'dark' })
    const brightness = (color) => Math.max(...color.match(/\d+/g).map(Number))
    assert.ok(brightness(await ground()) < 64 && brightness(light) > 192, `${await ground()} and ${light}`)
    await window.page.emulateMedia({ colorScheme: null })
  })

  test('a neighbor that quits is shown as offline', async () => {
    await neighbour.stop()
    await window.row('Seen earlier', 'Anselm — field notes').waitFor()
    assert.equal(await window.group('Nearby').count(), 0)
  })

  test('a page of someone offline says so, and can be tried again', async () => {
    await window.go(`goop://${neighbour.id}/2026/autumn.html`)
    await window.site.getByRole('heading', { name: 'Not online right now' }).waitFor()
    await window.site.getByText('It is probably offline').waitFor()
    await neighbour.run()
    visitor.forget()
    await visitor.join(neighbour)
    await window.site.getByRole('link', { name: 'Try again' }).click()
    await window.site.getByRole('heading', { level: 1, name: /autumn/i }).waitFor()
    await shown('/2026/autumn.html')
    await window.row('Nearby', 'Anselm — field notes').waitFor()
  })

  test('a neighbor that is cut off is shown as offline', async () => {
    await neighbour.kill()
    await window.row('Seen earlier', 'Anselm — field notes').waitFor()
  })

  test('a window whose peer stops says so, and explains how to sign in again', async () => {
    const { port } = visitor
    await visitor.kill()
    await window.page.getByRole('alert').getByText('Goop2 is not running.').waitFor()
    await visitor.configure({ viewer: { http_addr: `127.0.0.1:${port}` } })
    await visitor.run()
    await window.page.getByRole('button', { name: /^Try (now|again)$/ }).first().click()
    await window.page.getByRole('heading', { name: 'This browser isn’t signed in' }).waitFor()
    await window.page.goto(visitor.openUrl)
    await window.page.getByRole('status').filter({ hasText: 'Online' }).waitFor()
  })

  test('a window that is not signed in says what to open', async () => {
    const stranger = await profile(browser)
    const opened = await stranger.newPage()
    await opened.goto(visitor.url)
    await opened.getByRole('heading', { name: 'This browser isn’t signed in' }).waitFor()
    await opened.getByText('?token=…').waitFor()
    await opened.goto(`${visitor.url}?token=${'0'.repeat(64)}`)
    await opened.getByRole('heading', { name: 'This link has expired' }).waitFor()
    await stranger.close()
  })

  test('the token does not stay in the address bar', () => assert.equal(window.page.url().split('#', 1)[0], visitor.url))

  test('a reload stays signed in, and so does another tab at the bare address', async () => {
    const online = (page) => page.getByRole('status').filter({ hasText: 'Online' }).waitFor()
    await window.page.reload()
    await online(window.page)
    const second = await window.page.context().newPage()
    await second.goto(visitor.url)
    await online(second)
    await second.close()
  })

  test('a tab that is not signed in is as soon as another one is', async () => {
    const stranger = await profile(browser)
    const [first, second] = await Promise.all([stranger.newPage(), stranger.newPage()])
    await first.goto(visitor.url)
    await first.getByRole('heading', { name: 'This browser isn’t signed in' }).waitFor()
    await second.goto(visitor.openUrl)
    await first.getByRole('status').filter({ hasText: 'Online' }).waitFor()
    await second.close()
    await first.reload()
    await first.getByRole('status').filter({ hasText: 'Online' }).waitFor()
    await stranger.close()
  })
})

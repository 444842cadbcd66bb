// In a browser the window is a page like any other: its address follows what is shown, and Back, Forward, reload and bookmarks
// work. The mock's development server serves the sites.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { Mock } from './lib/mock.mjs'

/** The first page is made while it is asked for. */
const PATIENCE_MS = 20_000

let browser, mock
before(async () => {
  ;[browser, mock] = await Promise.all([launch(), Mock.start()])
})
after(async () => {
  await browser?.close()
  await mock?.stop()
})

async function open(hash = '') {
  const context = await profile(browser, { reducedMotion: 'reduce' })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  const window = new Window(page)
  await page.goto(mock.at('tab') + hash)
  await page.getByRole('navigation', { name: 'Peers' }).waitFor()
  return window
}

const heading = (window, name) => window.site.getByRole('heading', { level: 1, name }).waitFor()
const shown = (window, text) => window.address.filter({ hasText: text }).waitFor()
/** The address says this after its `#`. */
const says = (window, hash) => window.page.waitForFunction((hash) => new RegExp(`^${hash}$`).test(location.hash.slice(1)), hash)

async function visit(window, name) {
  await window.row('Nearby', name).click()
  await heading(window, 'Field notes')
  await shown(window, name)
}

describe('the address', () => {
  test('names the site, its page, and the pages of the window', async () => {
    const window = await open()
    assert.equal(new URL(window.page.url()).hash, '')
    await visit(window, 'Kitchen tablet')
    await says(window, '/p/12D3[^/]+/')
    await window.site.getByRole('link', { name: 'Autumn' }).click()
    await says(window, '/p/12D3[^/]+/autumn\\.html')
    await window.show('Settings')
    await says(window, '/settings')
    await window.page.keyboard.press('Escape')
    await says(window, '/p/12D3[^/]+/autumn\\.html')
  })

  test('brings a bookmark back, of a site and of a page of the window', async () => {
    const first = await open()
    await visit(first, 'Kitchen tablet')
    await first.site.getByRole('link', { name: 'Autumn' }).click()
    await says(first, '/p/12D3[^/]+/autumn\\.html')
    const window = await open(new URL(first.page.url()).hash)
    await heading(window, 'Autumn field notes')
    await shown(window, 'Kitchen tablet')
    const network = await open('#/network')
    await network.page.getByRole('heading', { level: 1, name: 'Network' }).waitFor()
  })

  test('may be typed over another one', async () => {
    const window = await open()
    await visit(window, 'Kitchen tablet')
    await window.page.evaluate(() => (location.hash = '#/network'))
    await window.page.getByRole('heading', { level: 1, name: 'Network' }).waitFor()
    await window.page.goBack()
    await shown(window, 'Kitchen tablet')
  })

  test('that means nothing shows the welcome page', async () => {
    const window = await open('#/p/nobody/')
    await window.page.getByRole('heading', { name: 'Online now' }).waitFor()
    await says(window, '')
  })
})

describe('the browser’s own buttons', () => {
  test('go back and forward between sites and pages', async () => {
    const window = await open()
    await visit(window, 'Kitchen tablet')
    await visit(window, 'Studio guestbook')
    await window.show('Network')
    await window.page.goBack()
    await shown(window, 'Studio guestbook')
    await window.page.goBack()
    await shown(window, 'Kitchen tablet')
    await heading(window, 'Field notes')
    await window.page.goBack()
    await window.page.getByRole('heading', { name: 'Online now' }).waitFor()
    await window.page.goForward()
    await shown(window, 'Kitchen tablet')
    await window.page.goForward()
    await shown(window, 'Studio guestbook')
    await heading(window, 'Field notes')
  })

  test('go back and forward within a site', async () => {
    const window = await open()
    await visit(window, 'Kitchen tablet')
    await window.site.getByRole('link', { name: 'Autumn' }).click()
    await says(window, '/p/12D3[^/]+/autumn\\.html')
    await heading(window, 'Autumn field notes')
    await window.page.goBack()
    await says(window, '/p/12D3[^/]+/')
    await heading(window, 'Field notes')
    await window.page.goForward()
    await says(window, '/p/12D3[^/]+/autumn\\.html')
    await heading(window, 'Autumn field notes')
  })

  test('reload what is shown, with its history', async () => {
    const window = await open()
    await visit(window, 'Kitchen tablet')
    await window.site.getByRole('link', { name: 'Autumn' }).click()
    await says(window, '/p/12D3[^/]+/autumn\\.html')
    await window.page.reload()
    await heading(window, 'Autumn field notes')
    await shown(window, 'Kitchen tablet')
    await window.back.click()
    await says(window, '/p/12D3[^/]+/')
    await heading(window, 'Field notes')
    await window.show('Settings')
    await window.page.reload()
    await window.page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor()
  })
})

test('a site’s own way back works, and the address follows', async () => {
  const window = await open()
  await visit(window, 'Kitchen tablet')
  await window.site.getByRole('link', { name: 'Autumn' }).click()
  await says(window, '/p/12D3[^/]+/autumn\\.html')
  await heading(window, 'Autumn field notes')
  await window.page.frames()[1].evaluate(() => void setTimeout(() => history.back()))
  await heading(window, 'Field notes')
  await says(window, '/p/12D3[^/]+/')
})

test('the window’s own way back does not depend on what a site adds to the history', async () => {
  const window = await open()
  await visit(window, 'Kitchen tablet')
  await window.page.frames()[1].evaluate(() => {
    for (let i = 0; i < 20; i++) history.pushState(i, '', `#${i}`)
  })
  await window.back.click()
  await window.page.getByRole('heading', { name: 'Online now' }).waitFor()
  await says(window, '')
})

test('the app’s window has no address to follow', async () => {
  const window = await open()
  await window.page.goto(mock.at('still'))
  await window.row('Nearby', 'Kitchen tablet').click()
  await shown(window, 'Kitchen tablet')
  assert.equal(new URL(window.page.url()).hash, '')
})

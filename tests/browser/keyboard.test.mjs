// Everything works by keyboard alone, the focus is never lost, and nothing moves for people who prefer reduced motion.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, profile } from './lib/browser.mjs'
import { Mock } from './lib/mock.mjs'
import { picture } from './lib/scenes.mjs'

let browser, mock
before(async () => {
  ;[browser, mock] = await Promise.all([launch(), Mock.start({ built: true })])
})
after(async () => {
  await browser?.close()
  await mock?.stop()
})

describe('by keyboard alone', () => {
  const named = (page) => page.evaluate(() => {
    const at = document.activeElement
    return at && at !== document.body ? (at.getAttribute('aria-label') ?? at.textContent ?? '').trim().replace(/\s+/g, ' ') : null
  })
  async function open(scenario = 'favorites') {
    const context = await profile(browser, { reducedMotion: 'reduce' })
    const page = await context.newPage()
    await page.goto(mock.at(scenario))
    await page.getByRole('navigation', { name: 'Peers' }).waitFor()
    return page
  }
  async function tabTo(page, name, presses = 60) {
    for (let i = 0; i < presses; i++) {
      await page.keyboard.press('Tab')
      const at = await named(page)
      assert.notEqual(at, null, 'the focus was lost')
      if (at.startsWith(name)) return
    }
    assert.fail(`Tab does not reach ${name}`)
  }

  test('a name is changed, and the change undone', async () => {
    const page = await open()
    await tabTo(page, 'Settings')
    await page.keyboard.press('Enter')
    const name = page.getByRole('textbox', { name: 'Name', exact: true })
    await name.waitFor()
    for (let i = 0; i < 40 && !(await name.evaluate((field) => field === document.activeElement)); i++) await page.keyboard.press('Tab')
    await page.keyboard.press('Control+a')
    await page.keyboard.type('Mira by key')
    await page.keyboard.press('Enter')
    await page.getByText('Name changed.').waitFor()
    await page.getByRole('button', { name: /^Mira by key/ }).waitFor()
    await tabTo(page, 'Undo')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: /^Mira’s corner/ }).waitFor()
    assert.equal(await name.inputValue(), 'Mira’s corner')
  })

  test('starting at login and staying in the tray are switched, and undone', async () => {
    const page = await open('desktop')
    await page.keyboard.press('Control+,')
    for (const [name, what, before] of [['Start when I log in', 'Start at login', 'false'], ['Keep running when the window is closed', 'Close behavior', 'false']]) {
      const on = page.getByRole('switch', { name })
      await tabTo(page, name)
      assert.equal(await on.getAttribute('aria-checked'), before)
      await page.keyboard.press('Space')
      await page.getByText(`${what} changed.`).waitFor()
      assert.equal(await on.getAttribute('aria-checked'), 'true')
      await tabTo(page, 'Undo')
      await page.keyboard.press('Enter')
      await page.getByText(`${what} changed.`).waitFor({ state: 'detached' })
      assert.equal(await on.getAttribute('aria-checked'), before)
      assert.notEqual(await named(page), null, 'the focus was lost')
    }
    // How it was before was neither: it is asked the first time.
    await page.getByText('You’ll be asked the first time.').waitFor()
  })

  test('a desktop without a tray cannot keep running, and a browser has neither switch', async () => {
    const trayless = await open('trayless')
    await trayless.keyboard.press('Control+,')
    await trayless.getByText('There’s no system tray here').waitFor()
    assert.ok(await trayless.getByRole('switch', { name: 'Keep running' }).isDisabled())
    const tab = await open('tab')
    await tab.keyboard.press('Control+,')
    await tab.getByRole('switch', { name: 'Find peers nearby' }).waitFor()
    assert.equal(await tab.getByRole('switch', { name: /Start when|Keep running/ }).count(), 0)
  })

  test('Escape closes a page and returns the focus', async () => {
    const page = await open()
    await tabTo(page, 'Settings')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor({ state: 'detached' })
    assert.equal(await named(page), 'Settings')
  })

  test('the settings of an offline peer are opened, and closing them returns the focus', async () => {
    const page = await (await profile(browser, { reducedMotion: 'reduce' })).newPage()
    await page.goto(mock.at('offline'))
    await page.getByRole('heading', { name: 'You’re offline' }).waitFor()
    await tabTo(page, 'Settings')
    await page.keyboard.press('Enter')
    await page.getByText('Changes apply when your peer goes back online.').waitFor()
    await tabTo(page, 'Edit goop.json')
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { name: 'You’re offline' }).waitFor()
    assert.equal(await named(page), 'Settings')
  })

  test('a picture is chosen, moved, zoomed and saved', async () => {
    const page = await open('still')
    await page.keyboard.press('Control+,')
    await tabTo(page, 'Add a picture')
    const chooser = page.waitForEvent('filechooser')
    // Keys overtake what asks the page to tell of a chooser: not one before the page has answered.
    await page.evaluate(() => {})
    await page.keyboard.press('Enter')
    const taker = await chooser
    await picture(page, (file) => taker.setFiles(file))
    await page.getByRole('dialog', { name: 'Your picture' }).waitFor()
    const cut = () => page.locator('dialog canvas').first().evaluate((canvas) => canvas.toDataURL())
    let before = await cut()
    const changed = async (key) => {
      await page.keyboard.press(key)
      await page.waitForFunction((before) => document.querySelector('dialog canvas').toDataURL() !== before, before)
      before = await cut()
    }
    await tabTo(page, 'Visible part of the picture')
    await changed('ArrowRight')
    await page.keyboard.press('Tab')
    await changed('ArrowRight')
    await tabTo(page, 'Use this picture')
    await page.keyboard.press('Enter')
    await page.getByText('Picture changed.').waitFor()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    assert.notEqual(await named(page), null, 'the focus was lost')
  })

  test('a rendezvous is joined, and another hosted', async () => {
    const page = await open('none')
    await tabTo(page, 'Rendezvous')
    await page.keyboard.press('Enter')
    const url = page.getByRole('textbox', { name: 'Connect URL' })
    await url.waitFor()
    for (let i = 0; i < 40 && !(await url.evaluate((field) => field === document.activeElement)); i++) await page.keyboard.press('Tab')
    await page.keyboard.type(' https://meet.example/ ')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: /^Leave/ }).waitFor()
    await tabTo(page, 'Host a rendezvous')
    await page.keyboard.press('Space')
    await page.getByRole('button', { name: /^QR code of/ }).first().waitFor()
    await tabTo(page, 'QR code of')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Connect URL' }).waitFor()
    await page.keyboard.press('Escape')
    assert.match(await named(page), /^QR code of/)
  })

  test('both also work in the settings', async () => {
    const page = await open('none')
    await page.keyboard.press('Control+,')
    await tabTo(page, 'Connect URL')
    await page.keyboard.type('https://meet.example')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: /^Leave/ }).waitFor()
    await tabTo(page, 'Host a rendezvous')
    await page.keyboard.press('Space')
    await page.getByRole('switch', { name: 'Host a rendezvous', checked: true }).waitFor()
    await page.getByRole('list', { name: 'Connect URLs' }).waitFor()
    // The Rendezvous page shows the same state.
    await page.keyboard.press('Escape')
    await page.getByRole('navigation', { name: 'Goop2' }).getByRole('button', { name: 'Rendezvous' }).click()
    await page.getByRole('switch', { name: 'Host a rendezvous', checked: true }).waitFor()
  })

  test('the list of peers is one Tab stop, and the arrow keys reach all of its rows', async () => {
    const page = await open('many')
    await tabTo(page, 'Add by address')
    await page.keyboard.press('Tab')
    const at = () => page.evaluate(() => document.activeElement.closest('[data-peer]')?.dataset.peer)
    const first = await at()
    assert.ok(first)
    await page.keyboard.press('ArrowDown')
    assert.notEqual(await at(), first)
    await page.keyboard.press('End')
    const last = page.locator('[data-peer]').last()
    assert.ok(await last.evaluate((row) => row === document.activeElement))
    await page.keyboard.press('PageUp')
    await page.keyboard.press('Home')
    assert.equal(await at(), first)
    // A row that has the focus stays, even where it is scrolled away.
    await page.getByRole('navigation', { name: 'Peers' }).evaluate((list) => (list.scrollTop = list.scrollHeight))
    await page.waitForTimeout(200)
    assert.equal(await at(), first)
  })

  test('a peer is opened, made a favorite, blocked and unblocked', async () => {
    const page = await open('still')
    await tabTo(page, 'About Anselm')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'About this peer' }).waitFor()
    await tabTo(page, 'Favorite')
    await page.keyboard.press('Space')
    await page.getByRole('region', { name: /^Favorites/ }).getByRole('button', { name: /^Anselm/ }).waitFor()
    await tabTo(page, 'Block')
    await page.keyboard.press('Enter')
    await page.getByText('is blocked.').waitFor()
    assert.notEqual(await named(page), null, 'the focus was lost')
    await page.keyboard.press('Control+,')
    await tabTo(page, 'Unblock')
    await page.keyboard.press('Enter')
    await page.getByText('no longer blocked').waitFor()
    await page.getByRole('navigation', { name: 'Peers' }).getByRole('button', { name: /^Anselm/ }).first().waitFor()
    assert.notEqual(await named(page), null, 'the focus was lost')
  })

  test('the theme is the user’s choice, immediately and after a reload', async () => {
    const page = await open()
    await page.keyboard.press('Control+,')
    await page.getByRole('radio', { name: 'Same as system' }).focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    const dark = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    assert.equal(await dark(), 'rgb(23, 24, 26)')
    await page.reload()
    await page.getByRole('navigation', { name: 'Peers' }).waitFor()
    assert.equal(await dark(), 'rgb(23, 24, 26)')
  })
})

test('nothing moves for people who prefer reduced motion', async () => {
  const context = await profile(browser, { reducedMotion: 'reduce' })
  const page = await context.newPage()
  await page.goto(mock.at('favorites'))
  await page.getByRole('navigation', { name: 'Peers' }).waitFor()
  await page.keyboard.press('Control+,')
  await page.getByRole('button', { name: 'Edit goop.json' }).click()
  assert.equal(await page.evaluate(() => document.getAnimations().length), 0)
  await context.close()
})

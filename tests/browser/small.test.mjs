// What a person sees of the window at any size: nothing scrolls sideways, no ring of the focus is cut off, nothing covers what is
// being used, and the first thing to read is worth reading.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { Mock } from './lib/mock.mjs'
import { scenes, show } from './lib/scenes.mjs'

/** The smallest window, and the usual and the smallest one at 200 %. */
const SIZES = [[760, 520], [560, 360], [380, 260]]
/** With the longest texts and the most controls. */
const SHOWN = ['welcome', 'nobody', 'long-name', 'right-to-left', 'notices', 'add-address', 'about-long-name', 'rendezvous-states', 'rendezvous-hosting', 'network-hotel', 'network-report', 'settings', 'settings-blocked', 'settings-picture', 'settings-text', 'sites', 'first', 'crashed', 'ask-visit', 'log', 'site', 'site-folder', 'site-write', 'site-share', 'site-backup', 'site-new', 'site-visitor', 'choosing']

let browser, mock
before(async () => {
  ;[browser, mock] = await Promise.all([launch(), Mock.start({ built: true })])
})
after(async () => {
  await browser?.close()
  await mock?.stop()
})

async function open(scenario, options) {
  const context = await profile(browser, { reducedMotion: 'reduce', ...options })
  const page = await context.newPage()
  await page.goto(mock.at(scenario))
  return new Window(page)
}

describe('at any size', { concurrency: 2 }, () => {
  for (const scene of scenes.filter(([name]) => SHOWN.includes(name))) {
    test(scene[0], async () => {
      const context = await profile(browser, { reducedMotion: 'reduce' })
      const page = await show(context, mock, scene)
      for (const [width, height] of SIZES) {
        await page.setViewportSize({ width, height })
        assert.deepEqual(await page.evaluate(sideways), [], `${width} × ${height}`)
      }
      await page.setViewportSize({ width: 760, height: 520 })
      assert.deepEqual(await page.evaluate(cut), [])
      await context.close()
    })
  }
})

/** What is wider than it shows, and scrolls. */
function sideways() {
  const scrolls = (element) => ['auto', 'scroll'].includes(getComputedStyle(element).overflowX) && element.scrollWidth > element.clientWidth + 1
  return [...document.querySelectorAll('*')].filter((element) => element.checkVisibility({ visibilityProperty: true }) && element.clientWidth > 0 && scrolls(element)).map((element) => element.outerHTML.slice(0, 120))
}

/** Controls whose ring is cut off by what they lie in, or by the window. */
function cut() {
  const dialogs = document.querySelectorAll('dialog[open]')
  const controls = (dialogs[dialogs.length - 1] ?? document.body).querySelectorAll('button, a[href], input, select, textarea, summary, [tabindex="0"]')
  return [...controls].filter((control) => {
    if (control.disabled || control.closest('[inert]') || !control.checkVisibility({ visibilityProperty: true })) return false
    control.focus({ focusVisible: true })
    control.scrollIntoView({ block: 'center' })
    const style = getComputedStyle(control)
    const ring = style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth) + parseFloat(style.outlineOffset)
    if (document.activeElement !== control || ring <= 0) return false
    const box = control.getBoundingClientRect()
    const within = (left, right, top, bottom) => box.left - ring > left - 1 && box.right + ring < right + 1 && box.top - ring > top - 1 && box.bottom + ring < bottom + 1
    // A dialog lies over everything around it.
    const end = control.closest('dialog')?.parentElement ?? document.body
    for (let around = control.parentElement; around && around !== end; around = around.parentElement) {
      if (getComputedStyle(around).overflow === 'visible') continue
      const { left, top } = around.getBoundingClientRect()
      const [x, y] = [left + around.clientLeft, top + around.clientTop]
      if (!within(x, x + around.clientWidth, y, y + around.clientHeight)) return true
    }
    return !within(0, innerWidth, 0, innerHeight)
  }).map((control) => control.outerHTML.slice(0, 160))
}

test('no heading covers the ring of a row', async () => {
  const { page } = await open('many')
  const row = page.locator('[data-peer]').first()
  await row.focus()
  const ring = await row.evaluate((row) => row.getBoundingClientRect().top - parseFloat(getComputedStyle(row).outlineWidth) - parseFloat(getComputedStyle(row).outlineOffset))
  const heading = await page.getByRole('heading', { name: /^Nearby/ }).boundingBox()
  assert.ok(ring >= heading.y + heading.height - 0.5, `the ring begins ${heading.y + heading.height - ring} px above`)
})

test('what was just done covers nothing that has the focus', async () => {
  const window = await open('desktop', { viewport: { width: 760, height: 520 } })
  const { page } = window
  await window.show('Settings')
  const on = page.getByRole('switch', { name: 'Start when I log in' })
  // Where a click leaves it: at the lower edge.
  await on.evaluate((element) => element.scrollIntoView({ block: 'end' }))
  await on.click()
  const toast = page.getByText('Start at login changed.')
  await toast.waitFor()
  await page.waitForFunction(() => {
    const at = document.activeElement.getBoundingClientRect()
    const toast = document.querySelector('.toast').getBoundingClientRect()
    return document.activeElement.getAttribute('role') === 'switch' && at.bottom <= toast.top
  })
  // All of the page can be scrolled above it.
  await page.getByRole('button', { name: 'Show log' }).click({ trial: true })
})

test('a narrow window shows the list of peers or the rest', async () => {
  const window = await open('still', { viewport: { width: 560, height: 360 } })
  const { page } = window
  await page.getByRole('heading', { name: 'Online now' }).waitFor()
  const peers = page.getByRole('navigation', { name: 'Peers' })
  assert.equal(await peers.count(), 0)
  await window.toolbar.getByRole('button', { name: 'Show peers' }).click()
  await page.getByRole('button', { name: 'Network', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: 'Network' }).waitFor()
  await page.keyboard.press('Escape')
  await window.toolbar.getByRole('button', { name: 'Show peers' }).click()
  await window.row('Nearby', 'Kitchen tablet').click()
  await window.address.filter({ hasText: 'Kitchen tablet' }).waitFor()
  await page.setViewportSize({ width: 1120, height: 720 })
  await peers.waitFor()
})

test('the history says when a page was opened, and a long name leaves room for the path', async () => {
  const window = await open('names', { viewport: { width: 760, height: 520 } })
  const { page } = window
  for (const name of [/^The extraordinarily long-winded/, 'evil reversed name']) await window.row('Nearby', name).click()
  await page.keyboard.press('Control+h')
  const entry = page.getByRole('main').getByRole('listitem').filter({ hasText: 'The extraordinarily' })
  assert.match(await entry.getByRole('time').textContent(), /^\d{1,2}:\d{2}/)
  const { x, width } = await entry.boundingBox()
  const name = await entry.locator('.name').boundingBox()
  assert.ok(name.width <= width * 0.56 && name.x >= x, `the name is ${name.width} px wide of ${width}`)
  assert.deepEqual(await page.evaluate(sideways), [])
})

test('what is not chosen is not filled in the dark', async () => {
  const window = await open('still', { colorScheme: 'dark' })
  await window.show('Settings')
  const fill = (name) => window.page.getByRole('radio', { name }).evaluate((radio) => [getComputedStyle(radio).appearance, getComputedStyle(radio).backgroundColor, getComputedStyle(radio, '::before').backgroundColor])
  assert.deepEqual(await fill('Light'), ['none', 'rgba(0, 0, 0, 0)', 'rgba(0, 0, 0, 0)'])
  assert.notDeepEqual(await fill('Same as system'), await fill('Light'))
})

test('a port that was taken is shown in the settings, and not at the start', async () => {
  const window = await open('notice')
  await window.page.getByText('This network blocks multicast').waitFor()
  assert.equal(await window.page.getByText('Port 8080 is in use').count(), 0)
  await window.show('Settings')
  await window.page.getByText('Port 8080 is in use').waitFor()
})

test('what cannot be opened outside the window says so', async () => {
  const window = await open('stuck')
  const { page } = window
  await page.getByRole('button', { name: 'Open my folder' }).click()
  await page.getByText('No program on this computer opens folders.').waitFor()
  await page.getByRole('button', { name: 'Dismiss' }).click()
  await window.show('Settings')
  await page.getByRole('button', { name: 'Open folder' }).click()
  await page.getByText('No program on this computer opens folders.').waitFor()
  await window.show('Rendezvous')
  await page.getByRole('button', { name: 'Open public page' }).click()
  await page.getByRole('alert').filter({ hasText: 'opens web pages' }).waitFor()
})

test('the window comes back to its page when it is loaded again', async () => {
  const window = await open('still')
  await window.row('Nearby', 'Kitchen tablet').click()
  await window.show('Settings')
  await window.page.reload()
  await window.page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor()
  await window.page.keyboard.press('Escape')
  await window.address.filter({ hasText: 'Kitchen tablet' }).waitFor()
  assert.ok(await window.back.isEnabled())
})

// What the fields for addresses and values do with what is typed: one field understands everything, and an error is gone
// when what it is about is.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
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

async function open(scenario = 'still') {
  const context = await profile(browser, { reducedMotion: 'reduce', permissions: ['clipboard-read', 'clipboard-write'] })
  const page = await context.newPage()
  await page.goto(mock.at(scenario))
  await page.getByRole('navigation', { name: 'Peers' }).waitFor()
  return new Window(page)
}

const heading = (page, name) => page.getByRole('heading', { level: 1, name }).waitFor()
const gone = (locator) => locator.waitFor({ state: 'detached' })

describe('the address bar', () => {
  const type = async (window, text) => {
    await window.address.click()
    const field = window.toolbar.getByRole('textbox', { name: 'Address' })
    await field.fill(text)
    await field.press('Enter')
  }

  test('shows an error until another page is opened', async () => {
    const window = await open()
    await type(window, 'goop://nobody/')
    const error = window.toolbar.getByRole('alert')
    await error.waitFor()
    await window.row('Nearby', 'Kitchen tablet').click()
    await window.address.filter({ hasText: 'Kitchen tablet' }).waitFor()
    await gone(error)
  })

  test('shows an error until the field is left, in whatever way', async () => {
    const window = await open()
    await type(window, 'goop://nobody/')
    const error = window.toolbar.getByRole('alert')
    await error.waitFor()
    await window.show('Settings')
    await window.page.keyboard.press('Escape')
    await gone(error)
    await type(window, 'goop://nobody/')
    await error.waitFor()
    await window.page.keyboard.press('Escape')
    await gone(error)
  })

  test('opens a person by name', async () => {
    const window = await open()
    await type(window, 'kitchen')
    await window.address.filter({ hasText: 'Kitchen tablet' }).waitFor()
  })

  test('offers to join what may be a rendezvous', async () => {
    const window = await open()
    await type(window, 'https://meet.example/')
    await window.toolbar.getByRole('alert').getByRole('button', { name: 'Join as rendezvous' }).click()
    await heading(window.page, 'Rendezvous')
    await window.page.getByRole('button', { name: 'Leave meet.example' }).waitFor()
    await gone(window.toolbar.getByRole('alert'))
  })

  test('offers the browser for a web address, also by key', async () => {
    const window = await open()
    await type(window, 'example.org/page')
    const opened = window.page.waitForEvent('popup')
    await window.page.keyboard.press('Tab')
    await window.page.keyboard.press('Tab')
    await window.page.keyboard.press('Enter')
    await (await opened).close()
  })

  test('explains a link that lost its capital letters', async () => {
    const window = await open()
    await type(window, 'goop://12d3koowd3eckifwprn9wqpmg9r9hx3sd158z7eqhwmweqaju5sa/')
    await window.toolbar.getByRole('alert').filter({ hasText: 'lost its capital letters' }).waitFor()
  })
})

describe('the search field', () => {
  test('offers the same as the address bar', async () => {
    const window = await open()
    await window.go('meet.example')
    await window.page.getByRole('complementary').getByRole('button', { name: 'Open in browser' }).waitFor()
    await window.page.getByRole('complementary').getByRole('button', { name: 'Join as rendezvous' }).click()
    await window.page.getByRole('button', { name: 'Leave meet.example' }).waitFor()
    assert.equal(await window.search.inputValue(), '')
  })

  test('takes an invitation to a rendezvous for one', async () => {
    const window = await open()
    await window.go('goop://connect?url=https%3A%2F%2Fmeet.example')
    await window.page.getByRole('complementary').getByRole('button', { name: 'Join the rendezvous' }).click()
    await window.page.getByRole('button', { name: 'Leave meet.example' }).waitFor()
  })

  test('forgets its error when something else is opened', async () => {
    const window = await open()
    await window.go('goop://nobody/')
    const error = window.page.getByRole('complementary').getByRole('alert')
    await error.waitFor()
    await window.row('Nearby', 'Kitchen tablet').click()
    await gone(error)
  })
})

test('a link can be added by address, too, and it is the one that is copied', async () => {
  const window = await open()
  await window.page.getByRole('button', { name: 'Copy my link' }).click()
  const copied = await window.page.evaluate(() => navigator.clipboard.readText())
  assert.match(copied, /^goop:\/\/k[0-9a-z]{61}\/$/)
  await window.page.getByRole('complementary').getByRole('button', { name: 'Add by address' }).click()
  const dialog = window.page.getByRole('dialog', { name: 'Add by address' })
  await dialog.getByRole('textbox', { name: 'Address' }).fill(copied)
  await dialog.getByRole('button', { name: 'Add and visit' }).click()
  await gone(dialog)
  await window.address.filter({ hasText: 'Mira’s corner' }).waitFor()
})

describe('the field for a rendezvous', () => {
  test('opens a site for a link to one', async () => {
    const window = await open()
    await window.show('Rendezvous')
    const field = window.page.getByRole('textbox', { name: 'Connect URL' })
    await field.fill('goop://12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/')
    await window.page.getByText('This is an address of a site.').waitFor()
    await field.press('Enter')
    await window.address.filter({ hasText: '12D3Koo…U5SA' }).waitFor()
  })

  test('remembers only what once answered', async () => {
    const window = await open('none')
    await window.show('Rendezvous')
    const field = window.page.getByRole('textbox', { name: 'Connect URL' })
    const before = window.page.getByRole('list', { name: 'Joined before' })
    for (const [url, said] of [['https://www.example', 'There’s no rendezvous at'], ['https://meet.example', 'Connected']]) {
      await field.fill(url)
      await field.press('Enter')
      await window.page.getByText(said).first().waitFor()
      await window.page.getByRole('button', { name: /^Leave/ }).click()
      await gone(window.page.getByRole('button', { name: /^Leave/ }))
    }
    await before.getByText('meet.example').waitFor()
    assert.equal(await before.getByText('www.example').count(), 0)
  })
})

describe('in the settings', () => {
  const settings = async (window) => {
    await window.show('Settings')
    return (name) => window.page.getByRole('textbox', { name, exact: true })
  }

  test('a name and an email are checked as at the first start', async () => {
    const window = await open()
    const field = await settings(window)
    const error = window.page.getByRole('main').getByRole('alert')
    for (const [name, wrong, says] of [['Name', '  ', 'Enter a name.'], ['Name', '\u202e\u200b', 'Enter a name.'], ['Email', 'not an email', 'Enter an email address']]) {
      await field(name).fill(wrong)
      await field(name).press('Enter')
      await error.filter({ hasText: says }).waitFor()
      await field(name).press('Escape')
      await gone(error)
    }
    // It is still the name that others see.
    await window.page.getByTitle('Welcome page').filter({ hasText: 'Mira’s corner' }).waitFor()
  })

  test('a field that is emptied or changed has no error', async () => {
    const window = await open()
    const field = await settings(window)
    const error = window.page.getByRole('main').getByRole('alert')
    await field('Email').fill('wrong')
    await field('Email').press('Enter')
    await error.waitFor()
    await field('Email').fill('')
    await gone(error)
    await field('Email').press('Enter')
    assert.equal(await error.count(), 0)
  })

  test('the error of a wrong picture goes with it', async () => {
    const window = await open()
    await settings(window)
    const input = window.page.locator('input[type=file]')
    await input.setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
    const error = window.page.getByRole('alert').filter({ hasText: 'can’t show this file' })
    await error.waitFor()
    await picture(window.page)
    const dialog = window.page.getByRole('dialog', { name: 'Your picture' })
    await dialog.waitFor()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await gone(dialog)
    assert.equal(await error.count(), 0)
  })

  test('edits of goop.json are not discarded by Escape without a question', async () => {
    const window = await open()
    await settings(window)
    await window.page.getByRole('button', { name: 'Edit goop.json' }).click()
    const dialog = window.page.getByRole('dialog', { name: 'goop.json' })
    const text = dialog.getByRole('textbox', { name: 'goop.json' })
    await window.page.keyboard.press('Escape')
    await gone(dialog)
    await window.page.getByRole('button', { name: 'Edit goop.json' }).click()
    await text.fill('{}')
    for (let i = 0; i < 3; i++) await window.page.keyboard.press('Escape')
    await dialog.getByText('Discard your changes?').waitFor()
    await dialog.getByRole('button', { name: 'Keep editing' }).click()
    assert.equal(await text.inputValue(), '{}')
    await dialog.getByRole('button', { name: 'Close' }).click()
    await dialog.getByRole('button', { name: 'Discard' }).click()
    await gone(dialog)
  })
})

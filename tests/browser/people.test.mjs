// Names of people, and people who are blocked, wherever they are shown.

import { after, before, describe, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { Mock } from './lib/mock.mjs'

let browser, mock
before(async () => {
  ;[browser, mock] = await Promise.all([launch(), Mock.start({ built: true })])
})
after(async () => {
  await browser?.close()
  await mock?.stop()
})

async function open(scenario = 'still') {
  const context = await profile(browser, { reducedMotion: 'reduce' })
  const page = await context.newPage()
  await page.goto(mock.at(scenario))
  await page.getByRole('navigation', { name: 'Peers' }).waitFor()
  return new Window(page)
}

const gone = (locator) => locator.waitFor({ state: 'detached' })

describe('someone blocked whose site is open', () => {
  async function blocked() {
    const window = await open()
    await window.row('Nearby', 'Kitchen tablet').click()
    await window.toolbar.getByRole('button', { name: 'More' }).click()
    await window.page.getByRole('button', { name: 'About this peer' }).click()
    await window.page.getByRole('dialog').getByRole('button', { name: 'Block' }).click()
    await window.page.getByText('You blocked this person.').waitFor()
    return window
  }

  test('is unblocked there, and the page is loaded again', async () => {
    const window = await blocked()
    await gone(window.page.locator('iframe'))
    await window.address.filter({ hasText: 'Kitchen tablet' }).waitFor()
    await window.page.getByRole('main').getByRole('button', { name: 'Unblock' }).click()
    await window.page.locator('iframe').waitFor()
    await gone(window.page.getByText('You blocked this person.'))
    await window.row('Nearby', 'Kitchen tablet').waitFor()
  })

  test('is said to be blocked, and unblocked in the details', async () => {
    const window = await blocked()
    await window.toolbar.getByRole('button', { name: 'More' }).click()
    await window.page.getByRole('button', { name: 'About this peer' }).click()
    const dialog = window.page.getByRole('dialog')
    await dialog.getByRole('heading', { name: 'Kitchen tablet' }).waitFor()
    await dialog.getByText('Blocked: they can’t connect to you').waitFor()
    await dialog.getByRole('button', { name: 'Unblock' }).click()
    await dialog.getByRole('button', { name: 'Block', exact: true }).waitFor()
    await window.page.keyboard.press('Escape')
    await window.page.locator('iframe').waitFor()
  })

  test('is unblocked in the settings', async () => {
    const window = await blocked()
    await window.show('Settings')
    await window.page.getByRole('button', { name: 'Unblock Kitchen tablet' }).click()
    await window.page.keyboard.press('Escape')
    await window.page.locator('iframe').waitFor()
  })
})

test('a new name is shown in the list of your sites', async () => {
  const window = await open('desktop')
  await window.show('Settings')
  const name = window.page.getByRole('textbox', { name: 'Name', exact: true })
  await name.fill('Another name')
  await name.press('Enter')
  await window.page.getByTitle('Welcome page').filter({ hasText: 'Another name' }).waitFor()
  await window.page.getByRole('button', { name: 'Online: your sites' }).click()
  await window.page.getByRole('dialog', { name: 'Your sites' }).getByText('Another name').waitFor()
})

test('a link asks with the name that the user gave', async () => {
  const window = await open('ask-named')
  await window.page.getByRole('dialog', { name: 'Open a page by Downstairs?' }).waitFor()
})

test('names are shown without what moves the text around them', async () => {
  const window = await open('names')
  await window.group('Seen earlier').getByText('two lines and a tab', { exact: true }).waitFor()
  await window.group('Nearby').getByText('evil reversed name', { exact: true }).waitFor()
})

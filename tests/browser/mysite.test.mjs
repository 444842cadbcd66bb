// Making one's site in the window: files, the editor, the first question, sharing and backups, over a mock peer.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { Mock } from './lib/mock.mjs'
import { usable } from './lib/page.mjs'

let browser, mock
before(async () => {
  ;[browser, mock] = await Promise.all([launch(), Mock.start({ built: true })])
})
after(async () => {
  await browser?.close()
  await mock?.stop()
})

/** The My site page of a mock peer. */
async function open(scenario = 'still', options) {
  const context = await profile(browser, { reducedMotion: 'reduce', permissions: ['clipboard-read', 'clipboard-write'], ...options })
  const page = await context.newPage()
  const thrown = []
  page.on('pageerror', (error) => thrown.push(String(error)))
  await page.goto(mock.at(scenario))
  await new Window(page).show('My site')
  return { page, thrown, close: () => context.close(), row: (name) => page.getByRole('treeitem', { name }), ...parts(page) }
}

const parts = (page) => ({
  tree: page.getByRole('tree', { name: 'Files of your site' }),
  dialog: page.getByRole('dialog'),
  toast: page.locator('.toast'),
  undo: () => page.getByRole('button', { name: 'Undo' }).click(),
  button: (name) => page.getByRole('button', { name, exact: true }),
})

const named = (page) => page.evaluate(() => document.activeElement?.closest('[data-path]')?.dataset.path ?? null)

/** Files as a drag brings them. */
async function drop(page, target, names, size = 10) {
  const data = await page.evaluateHandle(([names, size]) => {
    const transfer = new DataTransfer()
    for (const name of names) transfer.items.add(new File(['x'.repeat(size)], name))
    return transfer
  }, [names, size])
  await target.dispatchEvent('dragover', { dataTransfer: data })
  await target.dispatchEvent('drop', { dataTransfer: data })
}

describe('the files', { concurrency: 2 }, () => {
  test('are a tree that the keyboard walks', async () => {
    const { page, tree, row, dialog, toast, undo, close, thrown } = await open()
    await tree.waitFor()
    await row(/^index\.html/).focus()
    await page.keyboard.press('ArrowDown')
    assert.equal(await named(page), 'photos')
    await page.keyboard.press('ArrowRight')
    await row(/heron\.mp4/).waitFor()
    assert.equal(await row(/^photos/).getAttribute('aria-expanded'), 'true')
    await page.keyboard.press('ArrowRight')
    assert.equal(await named(page), 'photos/heron.mp4')
    assert.equal(await row(/heron\.mp4/).getAttribute('aria-level'), '2')
    await page.keyboard.press('F2')
    await dialog.getByRole('textbox', { name: 'Name' }).fill('crane.mp4')
    await page.keyboard.press('Enter')
    await row(/crane\.mp4/).waitFor()
    await toast.getByText('heron.mp4 renamed to crane.mp4.').waitFor()
    await undo()
    await row(/heron\.mp4/).click()
    await page.keyboard.press('Delete')
    await toast.getByText('heron.mp4 moved to the bin.').waitFor()
    assert.equal(await row(/heron\.mp4/).count(), 0)
    assert.equal(await named(page), 'photos/lake 1.jpg')
    await undo()
    await row(/heron\.mp4/).waitFor()
    await row(/^photos/).focus()
    await page.keyboard.press('ArrowLeft')
    assert.equal(await row(/heron\.mp4/).count(), 0)
    assert.deepEqual(thrown, [])
    await close()
  })

  test('say what is not published, and what is wrong where', async () => {
    const { page, row, button, close } = await open()
    await row(/\.env not published: hidden file/).waitFor()
    await row(/^index\.html front page 1 broken link/).waitFor()
    await row(/_redirects 1 problem/).click()
    await page.getByRole('region', { name: '_redirects' }).getByText('399 isn’t a redirect status.').waitFor()
    await page.getByText('3 things to look at').click()
    await page.getByRole('button', { name: /^index\.html, line 15/ }).click()
    await page.locator('.cm-activeLine').filter({ hasText: 'winter.html' }).waitFor()
    await button('Back to the files').click()
    await row(/\.env/).click()
    await page.getByText('Visitors don’t get this file: hidden file.').waitFor()
    await close()
  })

  test('are selected together, moved and deleted', async () => {
    const { page, row, dialog, toast, undo, button, close } = await open()
    await row(/autumn\.html/).click()
    await row(/style\.css/).click({ modifiers: ['Shift'] })
    await page.getByText('3 files selected').waitFor()
    await button('Move…').click()
    await dialog.getByRole('radio', { name: 'photos' }).check()
    await dialog.getByRole('button', { name: 'Move here' }).click()
    await toast.getByText('3 files moved to photos.').waitFor()
    assert.equal(await row(/^autumn\.html/).getAttribute('aria-level'), '2')
    await row(/^autumn\.html/).click()
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowLeft')
    await row(/^index\.html/).click()
    await row(/^_redirects/).click({ modifiers: ['Control'] })
    await page.getByText('2 files selected').waitFor()
    await button('Delete').click()
    await toast.getByText('2 files moved to the bin.').waitFor()
    await undo()
    await row(/^_redirects/).waitFor()
    await close()
  })

  test('are dragged into a folder', async () => {
    const { page, row, toast, close } = await open()
    const [from, to] = await Promise.all([row(/style\.css/).boundingBox(), row(/^photos/).boundingBox()])
    await page.mouse.move(from.x + 80, from.y + 18)
    await page.mouse.down()
    await page.mouse.move(from.x + 80, from.y - 10, { steps: 4 })
    await page.mouse.move(to.x + 80, to.y + 18, { steps: 4 })
    await page.mouse.up()
    await toast.getByText('style.css moved to photos.').waitFor()
    await close()
  })

  test('are made: a page from its title, and a folder', async () => {
    const { page, row, dialog, button, close } = await open()
    await button('New page').click()
    await dialog.getByRole('textbox', { name: 'Title' }).fill('About Möwen')
    await dialog.getByText('The file is about-mowen.html').waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'About Möwen' }).waitFor()
    await button('Back to the files').click()
    await row(/about-mowen\.html/).waitFor()
    await button('New page').click()
    await dialog.getByRole('textbox', { name: 'Title' }).fill('About Möwen')
    await page.keyboard.press('Enter')
    await dialog.getByText('There’s already something called about-mowen.html there.').waitFor()
    await page.keyboard.press('Escape')
    await button('More actions').click()
    await button('New folder…').click()
    await dialog.getByRole('textbox', { name: 'Name' }).fill('a/b')
    await page.keyboard.press('Enter')
    await dialog.getByText('A name can’t contain').waitFor()
    await dialog.getByRole('textbox', { name: 'Name' }).fill('drafts')
    await page.keyboard.press('Enter')
    await row(/^drafts/).waitFor()
    await close()
  })

  test('come from the desktop, with progress, and names that are taken are asked about once', async () => {
    const { page, tree, row, dialog, toast, undo, button, close } = await open('tab')
    await drop(page, tree, ['heron.jpg', 'notes.md', 'style.css'])
    await dialog.getByText('2 names are taken').waitFor()
    await dialog.getByRole('button', { name: 'Keep both' }).click()
    await toast.getByText('3 files added.').waitFor()
    await row(/notes 2\.md/).waitFor()
    await undo()
    await row(/notes 2\.md/).waitFor({ state: 'detached' })
    await drop(page, row(/^photos/), ['large.jpg'], 30_000_000)
    await page.getByRole('progressbar', { name: 'Adding files' }).waitFor()
    await page.getByText(/ of 30 MB/).waitFor()
    await button('Cancel').click()
    await page.getByRole('progressbar').waitFor({ state: 'detached' })
    assert.equal(await row(/large\.jpg/).count(), 0)
    await close()
  })

  test('of another folder are shared from there', async () => {
    const { page, row, dialog, toast, undo, button, close } = await open('tab')
    await button('More actions').click()
    await button('Change folder…').click()
    await dialog.getByRole('textbox').fill('Pictures')
    await page.keyboard.press('Enter')
    await dialog.getByText('isn’t a folder on this computer').waitFor()
    await dialog.getByRole('textbox').fill('/home/mira/Pictures')
    await page.keyboard.press('Enter')
    await toast.getByText('Your site is /home/mira/Pictures now.').waitFor()
    await page.getByText('visitors see a list of your files').waitFor()
    await undo()
    await row(/^index\.html/).waitFor()
    await close()
  })

  test('stay smooth when there are thousands', async () => {
    const { page, tree, row, close } = await open('site-big')
    await row(/^index\.html/).focus()
    assert.ok((await tree.getByRole('treeitem').count()) < 80)
    assert.equal(await row(/picture-0\.jpg/).getAttribute('aria-setsize'), '2401')
    await page.keyboard.press('End')
    await row(/picture-2399\.jpg/).waitFor()
    assert.equal(await named(page), 'picture-2399.jpg')
    await close()
  })
})

describe('the editor', { concurrency: 2 }, () => {
  const edit = async ({ page, row }, name, mode) => {
    await row(name).click()
    await page.keyboard.press('Enter')
    if (mode) await page.getByRole('button', { name: mode, exact: true }).click()
  }

  test('saves the source, finds in it, and shows the line of a mistake', async () => {
    const opened = await open()
    const { page, button, close, thrown } = opened
    await edit(opened, /style\.css/)
    const text = page.getByRole('textbox', { name: 'Text of style.css' })
    await text.focus()
    await page.keyboard.press('Control+End')
    await page.keyboard.type('a { color: red; ')
    await page.getByText('Not saved').waitFor()
    await page.locator('.cm-lint-marker-error').waitFor()
    await page.keyboard.press('Control+s')
    await page.getByText('Saved · live for 2 readers').waitFor()
    await button('Find in this file').click()
    await page.getByRole('textbox', { name: 'Find', exact: true }).pressSequentially('Georgia')
    await page.locator('.cm-searchMatch').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { level: 1, name: 'My site' }).waitFor()
    await button('Back to the files').click()
    assert.deepEqual(thrown, [])
    await close()
  })

  test('asks before it forgets what was typed', async () => {
    const opened = await open()
    const { page, row, dialog, button, close } = opened
    await edit(opened, /notes\.md/)
    await page.getByRole('textbox', { name: 'Text of notes.md' }).focus()
    await page.keyboard.type('x')
    // It stays when the page is left.
    await button('Close this page').click()
    await page.getByRole('navigation', { name: 'Goop2' }).getByRole('button', { name: 'My site' }).click()
    await page.getByText('Not saved').waitFor()
    await button('Back to the files').click()
    await dialog.getByRole('button', { name: 'Keep editing' }).click()
    await button('Back to the files').click()
    await dialog.getByRole('button', { name: 'Discard them' }).click()
    await row(/notes\.md/).waitFor()
    await close()
  })

  test('shows both versions when the file changed on the disk', async () => {
    const opened = await open('site-conflict')
    const { page, dialog, button, close } = opened
    await edit(opened, /^index\.html/, 'Code')
    await page.locator('.cm-line').filter({ hasText: 'Most mornings' }).click()
    await page.keyboard.press('Home')
    await page.keyboard.type('MINE ')
    await page.keyboard.press('Control+s')
    await page.getByRole('alert').getByText('changed on the disk').waitFor()
    await button('See both').click()
    await dialog.getByRole('region', { name: 'On the disk' }).locator('mark').filter({ hasText: 'Every morning' }).waitFor()
    await dialog.getByRole('region', { name: 'Yours' }).locator('mark').filter({ hasText: 'MINE' }).waitFor()
    await dialog.getByRole('button', { name: 'Keep mine' }).click()
    await page.getByText('Saved · live').waitFor()
    await close()
  })

  test('writes in words, and the source stays clean', async () => {
    const opened = await open()
    const { page, close, dialog, thrown } = opened
    await edit(opened, /^index\.html/)
    const text = page.getByRole('textbox', { name: 'Text of the page' })
    await text.locator('p').click()
    await text.locator('p').evaluate((words) => getSelection().setPosition(words, words.childNodes.length))
    await page.keyboard.press('Enter')
    await page.keyboard.type('A new line with ')
    await page.keyboard.press('Control+b')
    await page.keyboard.type('bold <words>')
    await page.keyboard.press('Control+b')
    await page.getByRole('button', { name: 'Link…' }).click()
    await dialog.getByRole('textbox', { name: 'Address' }).fill('javascript:alert(1)')
    await page.keyboard.press('Enter')
    await dialog.getByText('Enter the address of a page.').waitFor()
    await dialog.getByRole('button', { name: 'autumn.html' }).click()
    await drop(page, text, ['heron.png'])
    await text.locator('img').waitFor()
    await page.getByRole('button', { name: 'Code', exact: true }).click()
    const source = await page.locator('.cm-content').evaluate((content) => [...content.querySelectorAll('.cm-line')].map((line) => line.textContent).join('\n'))
    assert.match(source, / {6}<p>Most mornings I walk around the marsh, and in the <strong>evening<\/strong> I write down what was there\.<\/p>\n {6}<p>A new line with <strong>bold &lt;words&gt;.*<\/p>\n {6}<p><img src="pictures\/heron\.png" alt="heron"><\/p>\n/)
    assert.match(source, /<a href="autumn\.html">/)
    assert.doesNotMatch(source, /data-|contenteditable|<span|<div|javascript/)
    assert.match(source, / {6}<ul>\n {8}<li><a href="autumn\.html">Autumn<\/a><\/li>\n/)
    assert.deepEqual(thrown, [])
    await close()
  })

  test('pastes only words', async () => {
    const opened = await open()
    const { page, close } = opened
    await edit(opened, /autumn\.html/)
    const text = page.getByRole('textbox', { name: 'Text of the page' })
    await text.locator('p').click()
    await text.evaluate((element) => {
      const data = new DataTransfer()
      data.setData('text/html', '<img src=x onerror="window.ran = true"><b style="color:red">styled</b>')
      data.setData('text/plain', 'styled')
      element.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))
    })
    assert.equal(await page.evaluate(() => 'ran' in window), false)
    await page.getByRole('button', { name: 'Code', exact: true }).click()
    await page.locator('.cm-line').filter({ hasText: 'styled' }).waitFor()
    assert.equal(await page.locator('.cm-line').filter({ hasText: 'onerror' }).count(), 0)
    await close()
  })
})

describe('the first question', () => {
  test('leads from a name to a site that is online, with its link', async () => {
    const context = await profile(browser, { reducedMotion: 'reduce' })
    const page = await context.newPage()
    const { dialog, button } = parts(page)
    await page.goto(mock.at('first'))
    await page.getByRole('textbox', { name: 'Name' }).fill('Mira')
    await button('Next').click()
    await page.getByRole('heading', { name: 'What do you want to put online?' }).waitFor()
    await usable(page)
    await page.getByRole('button', { name: /^Photo album/ }).click()
    await dialog.getByText('Replaced').waitFor()
    await dialog.getByRole('button', { name: 'Use this' }).click()
    await page.getByText('Everyone on this network can find your site').waitFor()
    await usable(page)
    await button('Go online').click()
    await page.getByRole('dialog', { name: 'Your site is online' }).waitFor()
    await dialog.getByText(/^goop:\/\//).waitFor()
    await context.close()
  })

  test('can be put off', async () => {
    const { page, row, button, close } = await open('site-new')
    await page.getByRole('heading', { name: 'What do you want to put online?' }).waitFor()
    await button('Later').click()
    await row(/^index\.html/).waitFor()
    await close()
  })
})

test('who reads is one line, and more in a dialog', async () => {
  const { page, dialog, close } = await open()
  await page.getByRole('button', { name: /2 people reading now · 14 visits today/ }).click()
  await dialog.getByRole('cell', { name: '120 visits' }).waitFor()
  await dialog.getByRole('switch', { name: 'Count visits' }).waitFor()
  await close()
})

test('a visitor’s rights are said for each table', async () => {
  const { page, button, close } = await open()
  await button('View as a visitor').click()
  await page.getByRole('complementary', { name: 'What visitors may do' }).getByText('Read it, and add to it.').waitFor()
  await page.keyboard.press('Escape')
  await page.waitForFunction(() => document.activeElement?.textContent?.trim() === 'View as a visitor')
  await close()
})

test('backups are made, and restored after a look', async () => {
  const { page, dialog, toast, close } = await open('tab')
  await page.getByRole('tab', { name: 'Pages' }).focus()
  await page.keyboard.press('End')
  await page.getByRole('checkbox', { name: 'Include my identity' }).check()
  await page.getByRole('textbox', { name: 'Passphrase', exact: true }).fill('short')
  await page.getByRole('button', { name: 'Make a backup' }).click()
  await page.getByText('Use 12 or more letters').waitFor()
  await page.getByRole('textbox', { name: 'Passphrase', exact: true }).fill('four words of mine')
  await page.getByRole('textbox', { name: 'Passphrase again' }).fill('four words of mine')
  await page.getByRole('button', { name: 'Make a backup' }).click()
  await toast.getByText('The backup is').waitFor()
  await page.locator('input[type=file][accept=".goop2-backup"]').setInputFiles({ name: 'locked.goop2-backup', mimeType: 'application/octet-stream', buffer: Buffer.from('x') })
  await dialog.getByRole('textbox', { name: 'Passphrase' }).fill('wrong')
  await page.keyboard.press('Enter')
  await dialog.getByText('isn’t the passphrase').waitFor()
  await dialog.getByRole('textbox', { name: 'Passphrase' }).fill('heron')
  await page.keyboard.press('Enter')
  await dialog.getByText('128 rows').waitFor()
  await dialog.getByRole('button', { name: 'Restore', exact: true }).click()
  await toast.getByText('The backup is restored.').waitFor()
  await page.locator('input[type=file][accept=".zip,.tar,.gz"]').setInputFiles({ name: 'shop.zip', mimeType: 'application/zip', buffer: Buffer.from('x') })
  await dialog.getByText('Scripts in lua/ are kept').waitFor()
  await dialog.getByRole('button', { name: 'Use this template' }).click()
  await toast.getByText('is in place').waitFor()
  await close()
})

test('nothing is cut off on a phone', async () => {
  const { page, row, button, close } = await open('tab', { viewport: { width: 1120, height: 720 } })
  await page.setViewportSize({ width: 360, height: 640 })
  const wide = () => page.evaluate(() => [...document.querySelectorAll('main *')].filter((element) => element.checkVisibility({ visibilityProperty: true }) && element.getBoundingClientRect().right > innerWidth + 1 && !element.closest('.cm-scroller, iframe, .visually-hidden')).map((element) => element.outerHTML.slice(0, 100)))
  await button('Show peers').or(page.getByRole('tree')).first().waitFor()
  if (await page.getByRole('navigation', { name: 'Goop2' }).isVisible()) await page.getByRole('navigation', { name: 'Goop2' }).getByRole('button', { name: 'My site' }).click()
  await row(/^index\.html/).click()
  assert.deepEqual(await wide(), [])
  await button('Edit').click()
  await page.getByRole('textbox', { name: 'Text of the page' }).waitFor()
  assert.deepEqual(await wide(), [])
  await button('Back to the files').click()
  await page.getByRole('tab', { name: 'Backup' }).click()
  await button('Make a backup').waitFor()
  assert.deepEqual(await wide(), [])
  await close()
})

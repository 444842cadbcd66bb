// Publishing from the window with a real peer: what is made, written, added and deleted there is what a visitor gets.

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { Peer, removeAll } from './lib/peer.mjs'
import { usable } from './lib/page.mjs'
import { raw } from './lib/raw.mjs'

const PAGE = '<!doctype html>\n<html lang="en">\n<head><title>Mine</title></head>\n<body>\n  <main>\n    <h1>Mine</h1>\n    <p>First words.</p>\n  </main>\n</body>\n</html>\n'

let browser, owner, visitor, context, window, page
before(async () => {
  ;[browser, owner, visitor] = await Promise.all([launch(), Peer.start('Mira’s corner', { site: { 'index.html': PAGE } }), Peer.start('Anselm')])
  await visitor.join(owner)
  context = await profile(browser, { reducedMotion: 'reduce' })
  window = await Window.open(context, owner)
  page = window.page
})
after(async () => {
  await browser?.close()
  await removeAll(owner, visitor)
})

const file = (path) => join(owner.dir, 'site', path)
const row = (name) => page.getByRole('treeitem', { name })
const button = (name) => page.getByRole('button', { name, exact: true })
/** Drops what is at these paths, as a file manager does: the browser reads it from the disk. */
async function dropped(target, files) {
  const { x, y, width, height } = await target.boundingBox()
  const debugging = await context.newCDPSession(page)
  const data = { items: [], files, dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop']) await debugging.send('Input.dispatchDragEvent', { type, x: x + width / 2, y: y + height / 2, data })
  await debugging.detach()
}
/** What a visitor gets. */
async function visited(path) {
  const { host, pathname } = new URL(await visitor.site(owner, path))
  return (await raw(visitor.port, `GET ${pathname}`, [['Host', host]])).text
}

describe('a site is made in the window', () => {
  test('its files are listed, and the page is fit for all', async () => {
    await window.show('My site')
    await row(/^index\.html front page/).waitFor()
    await usable(page)
  })

  test('a new page is written in words, and visitors get clean source', async () => {
    await button('New page').click()
    await page.getByRole('textbox', { name: 'Title' }).fill('About me')
    await page.keyboard.press('Enter')
    const text = page.getByRole('textbox', { name: 'Text of the page' })
    await text.locator('p').click()
    await page.keyboard.press('Control+End')
    await page.keyboard.type(' And <more> of it.')
    await page.keyboard.press('Control+s')
    await page.getByText(/^Saved · live/).waitFor()
    assert.match(await readFile(file('about-me.html'), 'utf8'), / {6}<p>Write here\. And &lt;more&gt; of it\.<\/p>\n/)
    assert.match(await visited('/about-me.html'), /And &lt;more&gt; of it/)
    await page.frameLocator('iframe[title^="Preview"]').getByText('And <more> of it.').waitFor()
  })

  test('a file that changed on the disk is not overwritten', async () => {
    const text = page.getByRole('textbox', { name: 'Text of the page' })
    await text.locator('h1').click()
    await page.keyboard.press('End')
    await page.keyboard.type('!')
    const theirs = (await readFile(file('about-me.html'), 'utf8')).replace('Write here', 'Theirs')
    await writeFile(file('about-me.html'), theirs)
    await page.keyboard.press('Control+s')
    await page.getByRole('alert').getByText('changed on the disk').waitFor()
    assert.equal(await readFile(file('about-me.html'), 'utf8'), theirs)
    await button('Take theirs').click()
    await text.getByText('Theirs.').waitFor()
    await button('Back to the files').click()
  })

  test('files and folders are dropped in from the desktop, into the folder on which they fall', async () => {
    const desktop = await mkdtemp(join(tmpdir(), 'goop2-desktop-'))
    await mkdir(join(desktop, 'holiday/inner'), { recursive: true })
    await writeFile(join(desktop, 'holiday/inner/a b.txt'), 'from the marsh')
    await writeFile(join(desktop, 'holiday/.hidden'), 'x')
    await writeFile(join(desktop, 'loose.txt'), 'loose')
    await dropped(button('Drop files or a folder here'), [join(desktop, 'holiday'), join(desktop, 'loose.txt')])
    await page.locator('.toast').getByText('2 files added.').waitFor()
    assert.match(await visited('/holiday/inner/a%20b.txt'), /from the marsh/)
    assert.match(await visited('/loose.txt'), /loose/)
    assert.deepEqual((await readdir(file('holiday'))).sort(), ['inner'])
    await dropped(row(/^holiday/), [join(desktop, 'loose.txt')])
    await page.locator('.toast').getByText('holiday/loose.txt added.').waitFor()
    assert.equal(await readFile(file('holiday/loose.txt'), 'utf8'), 'loose')
    await rm(desktop, { recursive: true })
  })

  test('files are added, renamed, deleted, and come back', async () => {
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), button('Add files…').click()])
    await chooser.setFiles([{ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('Some notes') }, { name: 'heron.svg', mimeType: 'image/svg+xml', buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>') }])
    await page.locator('.toast').getByText('2 files added.').waitFor()
    assert.match(await visited('/notes.txt'), /Some notes/)
    await row(/^notes\.txt/).click()
    await page.keyboard.press('F2')
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('diary.txt')
    await page.keyboard.press('Enter')
    await row(/^diary\.txt/).waitFor()
    await row(/^diary\.txt/).click()
    await page.keyboard.press('Delete')
    await row(/^diary\.txt/).waitFor({ state: 'detached' })
    assert.ok(!(await readdir(file(''))).includes('diary.txt'))
    await button('Undo').click()
    await row(/^diary\.txt/).waitFor()
    assert.equal(await readFile(file('diary.txt'), 'utf8'), 'Some notes')
  })
})

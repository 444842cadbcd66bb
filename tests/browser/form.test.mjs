// A plain HTML form needs no script: the browser posts it, the owner's database gets the row, and the browser returns to the page.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, profile } from './lib/browser.mjs'
import { guestbook, Peer, removeAll } from './lib/peer.mjs'

let browser, visitor, host, page

const form = (table, rest) => `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>Guestbook</title>
<form method="post" action="/api/p/${host.id}/data/insert">${table ? `<input type="hidden" name="table" value="${table}">` : ''}${rest}<button>Sign</button></form>`
const fields = '<label>Name <input name="name"></label><label>Message <textarea name="message"></textarea></label>'

before(async () => {
  const tables = { ...guestbook, news: { policy: 'owner', columns: [{ name: 'message', type: 'TEXT' }] } }
  ;[browser, visitor, host] = await Promise.all([launch(), Peer.start('Visitor'), Peer.start('Host', { tables })])
  await host.write('form.html', form('guestbook', fields))
  await host.write('boxes.html', form('guestbook', '<input name="message" type="checkbox" value="a" checked><input name="message" type="checkbox" value="b" checked>'))
  const photo = form('guestbook', `${fields}<label>Photo <input type="file" name="photo"></label>`)
  await host.write('photo.html', photo.replace('method="post"', 'method="post" enctype="multipart/form-data"'))
  await host.write('news.html', form('news', fields))
  await host.write('nowhere.html', form('', fields))
  await visitor.join(host)
  page = await (await profile(browser, { javaScriptEnabled: false })).newPage()
})

after(async () => {
  await browser?.close()
  await removeAll(visitor, host)
})

describe('a form without any script', () => {
  test('inserts, and returns to its page', async () => {
    // The address people know, without the user's token: a site's own form is the visitor's to send.
    await page.goto(`${visitor.url}p/${host.id}/form.html?from=here`)
    const url = await visitor.site(host, '/form.html?from=here')
    assert.equal(page.url(), url)
    await page.getByLabel('Name').fill('Mira & Co; ☃')
    await page.getByLabel('Message').fill('two\nlines + 100 %')
    await page.getByRole('button', { name: 'Sign' }).click()
    await page.waitForURL(url)
    assert.equal(await page.getByLabel('Message').inputValue(), '')
    const rows = await host.rows('guestbook')
    assert.deepEqual(rows.map((row) => [row._owner, row.name, row.message]), [[visitor.id, 'Mira & Co; ☃', 'two\r\nlines + 100 %']])
  })

  test('is not sent again when the page is reloaded', async () => {
    await page.reload()
    assert.equal((await host.rows('guestbook')).length, 1)
  })

  test('joins the values of checkboxes', async () => {
    await page.goto(await visitor.site(host, '/boxes.html'))
    await page.getByRole('button', { name: 'Sign' }).click()
    await page.waitForURL(await visitor.site(host, '/boxes.html'))
    assert.equal((await host.rows('guestbook')).at(-1).message, 'a, b')
  })

  test('shows why the owner rejects it, and a way back', async () => {
    await page.goto(await visitor.site(host, '/news.html'))
    await page.getByRole('button', { name: 'Sign' }).click()
    await page.getByRole('heading', { name: 'Not sent' }).waitFor()
    await page.getByText('insert not allowed: this table only accepts data from the site owner').waitFor()
    await page.getByRole('link', { name: 'Back' }).click()
    await page.waitForURL(await visitor.site(host, '/news.html'))
    assert.deepEqual(await host.rows('news'), [])
  })

  test('refuses a file in words, and going back keeps what was typed', async () => {
    const scripted = await (await profile(browser)).newPage()
    await scripted.goto(await visitor.site(host, '/photo.html'))
    await scripted.getByLabel('Message').fill('typed')
    await scripted.getByLabel('Photo').setInputFiles({ name: 'me.jpg', mimeType: 'image/jpeg', buffer: Buffer.alloc(2 * 1024 * 1024) })
    await scripted.getByRole('button', { name: 'Sign' }).click()
    await scripted.getByText('you chose “me.jpg” in the field “photo”').waitFor()
    await scripted.getByRole('link', { name: 'Back' }).click()
    await scripted.waitForURL(await visitor.site(host, '/photo.html'))
    assert.equal(await scripted.getByLabel('Message').inputValue(), 'typed')
    await scripted.close()
  })

  test('says when it is not for a table', async () => {
    await page.goto(await visitor.site(host, '/nowhere.html'))
    await page.getByRole('button', { name: 'Sign' }).click()
    await page.getByText('It needs a field named “table”').waitFor()
  })

  test('says when the owner is offline', async () => {
    await page.goto(await visitor.site(host, '/form.html'))
    await host.stop()
    await page.getByRole('button', { name: 'Sign' }).click()
    await page.getByRole('heading', { name: 'Not sent' }).waitFor()
    await page.getByText("This peer can't be reached.").waitFor()
  })
})

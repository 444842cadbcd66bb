// The sites that Goop2 brings along: pages that their owner fills, with nothing, one and a thousand entries.

import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { removeAll } from './lib/peer.mjs'
import { HOSTILE, MANY, gathered, button, confirm, fill, ids, insert, items, leave, paged, says, sound, starter, unfold } from './lib/starters.mjs'
import { usable } from './lib/page.mjs'

/** A picture of one pixel. */
const DOT = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'
/** What Feb's viewer lets a site do (PROTOCOL §9.2). */
const OF_EXISTING_PEERS = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"

const { party, publish, visit, everyone } = gathered()

test('each of them has a test here, and a picture to choose it by', async () => {
  assert.deepEqual(await ids(), ['album', 'empty', 'event', 'guestbook', 'journal', 'links', 'survey'])
  for (const id of await ids()) {
    const { preview, site } = await starter(id)
    assert.match(preview, /^<svg [^]*prefers-color-scheme: dark/)
    assert.doesNotMatch(preview, /<script|href=|url\((?!#)|\son\w+=/)
    for (const text of Object.values(site)) assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write/)
  }
})

describe('empty', () => {
  let owner
  before(async () => (owner = await publish('empty')))
  after(() => removeAll(owner))

  test('is a page', async () => {
    const pages = await everyone(owner)
    for (const page of pages) {
      await page.getByRole('heading', { level: 1, name: 'My page' }).waitFor()
      await sound(page)
    }
    await leave(...pages)
  })
})

describe('journal', () => {
  let owner
  before(async () => (owner = await publish('journal')))
  after(() => removeAll(owner))

  test('begins with words for the owner, and others for visitors', async () => {
    const [mine, theirs, other] = await everyone(owner)
    await mine.getByText('Nothing is written yet.').waitFor()
    await theirs.getByText('Nothing is written here yet.').waitFor()
    assert.equal(await theirs.locator('#write').isVisible(), false)
    await sound(mine)
    await sound(theirs)
    await leave(mine, theirs, other)
  })

  test('the owner writes, visitors comment, and each takes back what is theirs', async () => {
    const mine = await visit(owner, owner)
    await unfold(mine, 'Write an entry')
    await fill(mine.locator('#write'), { Title: HOSTILE, Text: `${HOSTILE}\n\nA second paragraph, https://example.org/a?b=1.` })
    await button(mine, 'Publish').click()
    await says(mine, 'Published.')
    await unfold(mine, 'Change the title')
    await fill(mine.locator('#about-form'), { Title: `Notes ${HOSTILE}`, 'Text below it': HOSTILE })
    await mine.locator('#about-form').getByRole('button', { name: 'Save' }).click()
    await says(mine, 'Saved.')

    const theirs = await visit(party.visitor, owner)
    await theirs.getByRole('heading', { level: 1, name: `Notes ${HOSTILE}` }).waitFor()
    await theirs.getByRole('heading', { level: 2, name: HOSTILE }).waitFor()
    assert.equal(await theirs.locator('article a').getAttribute('href'), 'https://example.org/a?b=1')
    assert.equal(await button(theirs, /^(Edit|Remove)/).count(), 0)
    await unfold(theirs, 'Comment')
    assert.equal(await theirs.getByLabel('Name', { exact: true }).inputValue(), 'Visitor')
    await fill(theirs, { Name: HOSTILE, Comment: HOSTILE })
    await button(theirs, 'Send').click()
    await says(theirs, 'Thank you.')

    const other = await visit(party.second, owner)
    await unfold(other, '1 comment')
    await other.locator('.comments .message').filter({ hasText: HOSTILE }).waitFor()
    assert.equal(await button(other, /^Remove the comment/).count(), 0)
    await fill(other, { Comment: 'Mine' })
    await button(other, 'Send').click()
    await says(other, 'Thank you.')
    await sound(other)

    await button(theirs, /^Remove the comment/).click()
    await confirm(theirs)
    await says(theirs, 'Removed.')
    await unfold(mine, 'Comment')
    await button(mine, 'Remove the comment by Second visitor').click()
    await confirm(mine)
    await says(mine, 'Removed.')
    assert.deepEqual(await owner.rows('comments'), [])

    await button(mine, /^Edit/).click()
    assert.equal(await mine.locator('#write').getByLabel('Title').evaluate((field) => field === document.activeElement), true)
    await fill(mine.locator('#write'), { Title: 'Changed' })
    await button(mine, 'Save changes').click()
    await mine.getByRole('heading', { level: 2, name: 'Changed' }).waitFor()
    await button(mine, /^Remove/).click()
    await confirm(mine)
    await mine.getByText('Nothing is written yet.').waitFor()
    await leave(mine, theirs, other)
  })

  test('a thousand entries come ten at a time', async () => {
    await insert(owner, 'posts', Array.from({ length: MANY }, (_, at) => ({ title: `Entry ${at}`, text: 'Text' })))
    const page = await visit(party.visitor, owner)
    await paged(page, '#posts', 10)
    await leave(page)
  })
})

describe('links', () => {
  let owner
  before(async () => (owner = await publish('links')))
  after(() => removeAll(owner))

  const add = async (page, title, address, note = '') => {
    await fill(page.locator('#add'), { Name: title, Address: address, Note: note })
    await button(page, 'Add').click()
  }

  test('begins with the name of the owner, and words about what to do', async () => {
    const [mine, theirs, other] = await everyone(owner)
    for (const page of [mine, theirs]) await page.getByRole('heading', { level: 1, name: 'Owner' }).waitFor()
    await mine.getByText('No links yet.').waitFor()
    await theirs.getByText('No links here yet.').waitFor()
    await sound(mine)
    await leave(mine, theirs, other)
  })

  test('the owner adds, arranges and removes; only addresses become links', async () => {
    const mine = await visit(owner, owner)
    await unfold(mine, 'Add a link')
    await add(mine, 'First', 'example.org/first')
    await items(mine, '#links').first().waitFor()
    await add(mine, HOSTILE, 'mailto:a@example.org', HOSTILE)
    await items(mine, '#links').nth(1).waitFor()
    await add(mine, 'A script', 'javascript:window.taken=1')
    await says(mine.locator('#add'), 'This address can’t be a link.')
    await button(mine, `Move up “${HOSTILE}”`).click()
    await mine.waitForFunction(() => document.querySelector('#links li').contains(document.activeElement))
    await insert(owner, 'links', [{ title: 'Written elsewhere', address: 'javascript:window.taken=1', position: 9 }])

    const theirs = await visit(party.visitor, owner)
    const hrefs = () => items(theirs, '#links').evaluateAll((list) => list.map((item) => item.querySelector('a')?.getAttribute('href') ?? null))
    await items(theirs, '#links').nth(2).waitFor()
    assert.deepEqual(await hrefs(), ['mailto:a@example.org', 'https://example.org/first', null])
    await theirs.locator('#links').getByText(HOSTILE).first().waitFor()
    assert.equal(await button(theirs, /^(Edit|Move|Remove)/).count(), 0)
    await sound(theirs)

    await mine.reload()
    await button(mine, 'Edit “First”').click()
    await fill(mine.locator('#add'), { Name: 'Changed' })
    await button(mine, 'Save changes').click()
    await button(mine, 'Remove “Changed”').click()
    await confirm(mine)
    await says(mine, 'Removed.')
    assert.equal((await owner.rows('links')).length, 2)
    await leave(mine, theirs)
  })

  test('a thousand links come fifty at a time', async () => {
    await insert(owner, 'links', Array.from({ length: MANY }, (_, at) => ({ title: `Link ${at}`, address: `https://example.org/${at}`, position: 100 + at })))
    const page = await visit(party.second, owner)
    await paged(page, '#links', 50)
    await leave(page)
  })
})

describe('album', () => {
  let owner
  before(async () => (owner = await publish('album')))
  after(() => removeAll(owner))

  /** A picture of noise, which hardly becomes smaller when it is compressed. */
  const noise = async (page, width, height) => {
    const address = await page.evaluate(([width, height]) => {
      const canvas = Object.assign(document.createElement('canvas'), { width, height })
      const pen = canvas.getContext('2d')
      const image = pen.createImageData(width, height)
      for (let at = 0; at < image.data.length; at++) image.data[at] = (at * 2654435761) >>> (at % 24)
      pen.putImageData(image, 0, 0)
      return canvas.toDataURL('image/jpeg', 1)
    }, [width, height])
    return Buffer.from(address.split(',')[1], 'base64')
  }

  test('begins with words for the owner, and others for visitors', async () => {
    const [mine, theirs, other] = await everyone(owner)
    await mine.getByText('This album is empty.').waitFor()
    await theirs.getByText('No pictures here yet.').waitFor()
    assert.equal(await theirs.getByLabel('Add pictures').isVisible(), false)
    await sound(mine)
    await leave(mine, theirs, other)
  })

  test('the owner adds, names, arranges and removes pictures; visitors look', async () => {
    const mine = await visit(owner, owner)
    const [large, small] = [await noise(mine, 2400, 1600), await noise(mine, 60, 90)]
    await mine.getByLabel('Add pictures').setInputFiles([
      { name: 'large.jpg', mimeType: 'image/jpeg', buffer: large },
      { name: 'small.jpg', mimeType: 'image/jpeg', buffer: small },
      { name: 'notes.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('not a picture') },
    ])
    await says(mine, '2 pictures added. notes.jpg: this is not a picture')
    const rows = await owner.rows('photos')
    assert.deepEqual(rows.map(({ width, height }) => [width, height]), [[60, 90], [2400, 1600]])
    for (const { thumb, picture } of rows) {
      assert.match(picture, /^data:image\/jpeg;base64,/)
      assert.ok(picture.length <= 800_000 && thumb.length <= 50_000, `${picture.length}, ${thumb.length}`)
    }

    await mine.evaluate((address) => {
      const data = new DataTransfer()
      const bytes = Uint8Array.from(atob(address.split(',')[1]), (char) => char.charCodeAt(0))
      data.items.add(new File([bytes], 'dropped.gif', { type: 'image/gif' }))
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
    }, DOT)
    await says(mine, '1 picture added.')
    await button(mine, /^Remove/).first().click()
    await confirm(mine)
    await left(mine, 2)

    await button(mine, /^Caption/).first().click()
    await mine.getByRole('dialog').getByRole('textbox').fill(HOSTILE)
    await confirm(mine)
    await mine.locator('.caption').filter({ hasText: HOSTILE }).waitFor()
    await button(mine, /^Move later/).first().click()
    await items(mine, '#photos').nth(1).filter({ hasText: HOSTILE }).waitFor()

    const theirs = await visit(party.visitor, owner)
    await items(theirs, '#photos').nth(1).filter({ hasText: HOSTILE }).waitFor()
    assert.equal(await button(theirs, /^(Caption|Move|Remove)/).count(), 0)
    await sound(theirs)
    await slideshow(theirs)

    await button(mine, /^Remove/).last().click()
    await confirm(mine)
    await left(mine, 1)
    assert.equal((await owner.rows('photos')).length, 1)
    await leave(mine, theirs)
  })

  const left = (page, count) => page.waitForFunction((count) => document.getElementById('photos').children.length === count, count)

  /** Two pictures, by keyboard alone. */
  async function slideshow(page) {
    const slides = page.getByRole('dialog', { name: 'Slideshow' })
    await page.locator('.photo').first().press('Enter')
    await slides.getByText('1 of 2').waitFor()
    await page.waitForFunction(() => document.getElementById('slide').src.startsWith('data:image/jpeg'))
    await usable(page)
    await page.keyboard.press('ArrowRight')
    await slides.getByText('2 of 2').waitFor()
    await slides.getByText(HOSTILE).waitFor()
    await page.keyboard.press('ArrowRight')
    await slides.getByText('1 of 2').waitFor()
    await page.keyboard.press('ArrowLeft')
    await slides.getByText('2 of 2').waitFor()
    await button(slides, 'Play').click()
    await button(slides, 'Pause').click()
    await page.keyboard.press('Escape')
    await slides.waitFor({ state: 'hidden' })
    assert.equal(await page.locator('.photo').first().evaluate((item) => item === document.activeElement), true)
  }

  test('a thousand pictures come two dozen at a time', async () => {
    const rows = Array.from({ length: MANY }, (_, at) => ({ caption: `Picture ${at}`, position: 100 + at, width: 3, height: 2, thumb: DOT, picture: DOT }))
    await insert(owner, 'photos', rows)
    const page = await visit(party.second, owner)
    await paged(page, '#photos', 24)
    await page.locator('.photo').first().click()
    await page.getByText(`1 of ${MANY + 1}`).waitFor()
    await page.keyboard.press('ArrowLeft')
    await page.getByText(`${MANY + 1} of ${MANY + 1}`).waitFor()
    await leave(page)
  })
})

describe('in the viewer of an existing peer', () => {
  let owner
  afterEach(() => removeAll(owner))

  for (const id of ['journal', 'guestbook', 'links', 'album', 'survey', 'event']) {
    test(`${id} breaks none of its rules, and finds the library`, async () => {
      owner = await publish(id)
      const page = await visit(party.visitor, owner)
      const { site } = await starter(id)
      await page.route(page.url(), (route) => route.fulfill({ body: site['index.html'], contentType: 'text/html', headers: { 'content-security-policy': OF_EXISTING_PEERS } }))
      await page.route('**/sdk/*', (route) => route.fulfill({ status: 404, body: 'not found' }))
      await page.reload()
      await page.locator('.empty:visible').first().waitFor()
      assert.deepEqual(page.odd.filter((text) => !/status of 404|Permissions-Policy header/.test(text)), [])
      await page.leave()
    })
  }
})

// The tables of one's own site as their owner works on them: what a visitor wrote, and a table larger than any screen.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { promised } from '../support/promise.mjs'
import { launch, profile, Window } from './lib/browser.mjs'
import { frames } from './lib/frames.mjs'
import { usable } from './lib/page.mjs'
import { guestbook, Peer, removeAll } from './lib/peer.mjs'

/** What is promised is promised for a million rows; a quarter of them is more than an element has pixels for, too. */
const MANY = process.env.GOOP2_MEASURE ? 1_000_000 : 250_000
/** Rows in one file: a peer takes 32 MiB. */
const FILE_ROWS = 250_000
const FRAME_MS = 50
const FIRST_MS = 200
const FILTER_MS = 1000

let browser, host, visitor, context, window, page

before(async () => {
  const tables = { ...guestbook, birds: { policy: 'owner', columns: [{ name: 'species', type: 'TEXT' }, { name: 'seen', type: 'INTEGER' }, { name: 'place', type: 'TEXT' }] } }
  ;[browser, host, visitor] = await Promise.all([launch(), Peer.start('Host', { tables }), Peer.start('Anselm')])
  await visitor.join(host)
  context = await profile(browser, { reducedMotion: 'reduce', acceptDownloads: true })
  window = await Window.open(context, host)
  page = window.page
})

after(async () => {
  await browser?.close()
  await removeAll(host, visitor)
})

const sign = (message, name = 'A') => visitor.api(`api/p/${host.id}/data/insert`, { table: 'guestbook', data: { name, message } })
const messages = async () => (await host.rows('guestbook')).map((row) => row.message)
const grid = () => page.getByRole('grid')
const cell = (text) => grid().getByRole('gridcell', { name: text, exact: true })
const button = (name) => page.getByRole('button', { name, exact: true })
const toast = (text) => page.getByText(text, { exact: true }).first().waitFor()

async function openTables() {
  await page.getByRole('button', { name: 'My site', exact: true }).click()
  await page.getByRole('tab', { name: 'Tables' }).click()
  await page.getByRole('navigation', { name: 'Tables' }).waitFor()
}

async function choose(name) {
  await page.getByRole('navigation', { name: 'Tables' }).getByRole('button', { name: new RegExp(`^${name}`) }).click()
  await page.getByRole('heading', { level: 2, name }).waitFor()
}

describe('what a visitor wrote', () => {
  test('is shown by name, and marked as new until it was looked at', async () => {
    for (const message of ['The heron came back.', '=1+1', '<img src=x onerror=alert(1)>']) await sign(message)
    await openTables()
    await choose('guestbook')
    await cell('The heron came back.').waitFor()
    await cell('<img src=x onerror=alert(1)>').waitFor()
    assert.equal(await cell('Anselm').count(), 3, 'each has its author')
    await page.getByText('Everybody reads; visitors add, and change their own').waitFor()
    await page.getByText('3 new').first().waitFor()
    const { fresh } = (await host.api('api/tables', { op: 'all' })).find(({ name }) => name === 'guestbook')
    assert.equal(fresh, 0)
  })

  test('appears while the table is open', async () => {
    await sign('Just now')
    await cell('Just now').waitFor()
    await page.getByText('4 new').first().waitFor()
  })

  test('is changed, and changed back, with keys alone', async () => {
    await grid().focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    const editor = grid().getByRole('textbox', { name: 'message' })
    assert.equal(await editor.inputValue(), 'Just now')
    await editor.fill('Just then')
    await page.keyboard.press('Enter')
    await toast('Row changed.')
    await cell('Just then').waitFor()
    assert.ok((await messages()).includes('Just then'))
    await button('Undo').click()
    await cell('Just now').waitFor()
    assert.ok((await messages()).includes('Just now'))
  })

  test('is deleted, and comes back', async () => {
    await grid().focus()
    await page.keyboard.press('Control+Home')
    await page.keyboard.press('Shift+ArrowDown')
    await page.keyboard.press('Delete')
    await toast('2 rows removed.')
    await cell('Just now').waitFor({ state: 'detached' })
    assert.equal((await messages()).length, 2)
    await button('Undo').click()
    await cell('Just now').waitFor()
    assert.equal((await messages()).length, 4)
  })

  test('is found by what it says and by who wrote it', async () => {
    const filter = page.getByRole('searchbox', { name: 'Filter the rows' })
    await filter.fill('HERON')
    await page.getByText('1 row found').waitFor()
    await filter.fill('anselm')
    await page.getByText('4 rows found').waitFor()
    await filter.fill('nobody says this')
    await page.getByText('No row contains this.').waitFor()
    await filter.fill('')
    await cell('Just now').waitFor()
  })

  test('is sorted by a column', async () => {
    await grid().getByRole('button', { name: 'message' }).click()
    await grid().getByRole('columnheader', { name: 'message' }).and(page.locator('[aria-sort=ascending]')).waitFor()
    await page.waitForFunction(() => document.querySelector('[role=grid] [role=row][aria-rowindex="2"]')?.textContent.includes('<img'))
    await grid().getByRole('button', { name: 'message' }).click()
    await page.waitForFunction(() => document.querySelector('[role=grid] [role=row][aria-rowindex="2"]')?.textContent.includes('The heron'))
  })

  test('goes as a whole, with its author, and comes back with them', async () => {
    await cell('Just now').click()
    await button('Author…').click()
    const dialog = page.getByRole('dialog', { name: 'Remove all that Anselm wrote?' })
    await dialog.getByText('removed from all tables').waitFor()
    await dialog.getByRole('button', { name: 'Block and remove' }).click()
    await toast('Anselm is blocked, and 4 rows by Anselm removed from 1 table.')
    assert.deepEqual(await messages(), [])
    const blocked = async () => (await host.api('api/settings')).blocked.map(({ id }) => id)
    assert.deepEqual(await blocked(), [visitor.id])
    await button('Undo').click()
    await cell('Just now').waitFor()
    assert.deepEqual(await blocked(), [])
  })
})

describe('a table', () => {
  test('says what comes of another policy before it has it', async () => {
    await button('Change…').click()
    const dialog = page.getByRole('dialog', { name: 'Who may use “guestbook”' })
    await dialog.getByLabel('Visitors add, and see only their own').check()
    await dialog.getByText('Visitors no longer see what others wrote.').waitFor()
    await dialog.getByRole('button', { name: 'Change' }).click()
    await page.getByRole('region', { name: 'guestbook' }).getByText('Visitors add, and see only their own').waitFor()
    const { policy } = (await host.api('api/tables', { op: 'all' })).find(({ name }) => name === 'guestbook')
    assert.equal(policy, 'open')
  })

  test('is exported and imported', async () => {
    await button('Export…').click()
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('dialog').getByRole('button', { name: 'Export' }).click()])
    assert.equal(download.suggestedFilename(), 'guestbook.csv')
    const text = await readFile(await download.path(), 'utf8')
    assert.match(text, /,'=1\+1,?/)
    await button('More about this table').click()
    await button('Import rows…').click()
    const dialog = page.getByRole('dialog', { name: 'Import rows into “guestbook”' })
    await dialog.getByLabel('A CSV or JSON file').setInputFiles({ name: 'broken.csv', mimeType: 'text/csv', buffer: Buffer.from('name,message\nA,x\nB\n') })
    await dialog.getByRole('button', { name: 'Import' }).click()
    await dialog.getByText('Line 3: There are 1 values for 2 columns.').waitFor()
    assert.equal((await messages()).length, 4)
    await dialog.getByLabel('A CSV or JSON file').setInputFiles({ name: 'guestbook.csv', mimeType: 'text/csv', buffer: Buffer.from(text) })
    await dialog.getByRole('button', { name: 'Import' }).click()
    await toast('4 rows added to “guestbook”.')
    const all = await messages()
    assert.deepEqual(all.slice(4), all.slice(0, 4))
  })

  test('is made, gets a column, is filled and removed', async () => {
    await button('New table…').click()
    const dialog = page.getByRole('dialog', { name: 'New table' })
    await dialog.getByLabel('Name of the table').fill('prices')
    await dialog.getByLabel('Name of column 1').fill('thing')
    await dialog.getByRole('button', { name: 'Column', exact: true }).click()
    await dialog.getByLabel('Name of column 2').fill('price')
    await dialog.getByLabel('Kind of column 2').selectOption('Number')
    await dialog.getByLabel('Everybody reads; only you write').check()
    await dialog.getByRole('button', { name: 'Create table' }).click()
    await page.getByRole('heading', { level: 2, name: 'prices' }).waitFor()
    await page.getByText('Nothing is in this table yet.').waitFor()
    await button('More about this table').click()
    await button('Add a column…').click()
    await page.getByRole('dialog').getByLabel('Name').fill('in_stock')
    await page.getByRole('dialog').getByLabel('Kind').selectOption('Yes/No')
    await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click()
    await button('New row…').click()
    const row = page.getByRole('dialog', { name: 'New row in “prices”' })
    await row.getByLabel('thing').fill('Honey')
    await row.getByLabel('price').fill('much')
    await row.getByRole('button', { name: 'Add row' }).click()
    await row.getByText('“price”: Enter a number').waitFor()
    await row.getByLabel('price').fill('4.5')
    await row.getByLabel('in_stock').selectOption('Yes')
    await row.getByRole('button', { name: 'Add row' }).click()
    await cell('4.5').waitFor()
    assert.deepEqual((await host.rows('prices')).map(({ thing, price, in_stock }) => [thing, price, in_stock]), [['Honey', 4.5, 1]])
    await button('More about this table').click()
    await button('Remove this table…').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove table' }).click()
    await toast('“prices” and its 1 row removed.')
    await button('Undo').click()
    await choose('prices')
    await cell('Honey').waitFor()
  })

  test('is usable by anyone, and at any size', async () => {
    await choose('guestbook')
    await cell('Just now').first().waitFor()
    await usable(page)
    for (const viewport of [{ width: 760, height: 520 }, { width: 360, height: 740 }]) {
      await page.setViewportSize(viewport)
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0)
    }
    await page.setViewportSize({ width: 1120, height: 720 })
  })
})

describe(`a table of ${MANY} rows`, () => {
  before(async () => {
    for (let begin = 0; begin < MANY; begin += FILE_ROWS) {
      const lines = Array.from({ length: FILE_ROWS }, (_, at) => `Bird ${(begin + at) % 977},${begin + at},The marsh`)
      await host.api('api/tables', { op: 'import', table: 'birds', format: 'csv', text: `species,seen,place\n${lines.join('\n')}\n` })
    }
    await page.reload()
    await page.getByRole('status').filter({ hasText: 'Online' }).waitFor()
    await openTables()
    await choose('guestbook')
    await page.getByRole('navigation', { name: 'Tables' }).getByText(`${MANY.toLocaleString('en-US')} rows`).waitFor()
  })

  test('is there at once', async () => {
    const took = await page.evaluate(async (last) => {
      const begin = performance.now()
      ;[...document.querySelectorAll('nav[aria-label=Tables] button')].find((button) => button.textContent.includes('birds')).click()
      while (![...document.querySelectorAll('[role=gridcell]')].some((cell) => cell.textContent === last)) await new Promise(requestAnimationFrame)
      return performance.now() - begin
    }, String(MANY - 1))
    promised(`the first rows of ${MANY}`, took, FIRST_MS)
  })

  test('scrolls without a long frame, to its very end', async () => {
    const work = await frames(browser, page, () =>
      grid().evaluate(async (grid) => {
        const frame = () => new Promise(requestAnimationFrame)
        const whole = grid.scrollHeight - grid.clientHeight
        for (let step = 0; step < 120; step++) {
          grid.scrollTop += 120
          await frame()
        }
        for (let part = 0; part <= 120; part++) {
          grid.scrollTop = (whole * part) / 120
          await frame()
        }
      }),
    )
    await cell('0').waitFor()
    const rows = await grid().getByRole('row').count()
    assert.ok(rows < 60, `${rows} rows exist`)
    assert.ok(work.length > 100, 'something was measured')
    promised(`the longest frame while ${MANY} rows are scrolled`, Math.max(...work), FRAME_MS)
  })

  test('comes to any row by keys', async () => {
    await grid().focus()
    await page.keyboard.press('Control+Home')
    await cell(String(MANY - 1)).waitFor()
    await page.keyboard.press('PageDown')
    await page.keyboard.press('Control+End')
    await cell('0').waitFor()
    await page.keyboard.press('ArrowUp')
    await page.waitForFunction(() => document.getElementById(document.querySelector('[role=grid]').getAttribute('aria-activedescendant'))?.closest('[role=row]').textContent.includes('Bird 1'))
  })

  test('is filtered while one types', async () => {
    const took = await page.evaluate(async () => {
      const begin = performance.now()
      const field = document.querySelector('input[type=search][aria-label="Filter the rows"]')
      field.value = 'Bird 976'
      field.dispatchEvent(new Event('input', { bubbles: true }))
      while (!/rows found/.test(document.querySelector('.count')?.textContent ?? '')) await new Promise(requestAnimationFrame)
      return performance.now() - begin
    })
    promised(`a filter over ${MANY} rows`, took, FILTER_MS)
    await page.getByText(`${Math.floor(MANY / 977).toLocaleString('en-US')} rows found`).waitFor()
  })
})

// The sites that Goop2 brings along, as a peer's folder has them once one is chosen, and how people use them.

import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { launch } from './browser.mjs'
import { open, usable } from './page.mjs'
import { Peer, removeAll } from './peer.mjs'
import { top } from './program.mjs'

export const HOSTILE = `<img src=x onerror="taken=1">"'</p><script>taken=1</script>&amp;\${1}`
export const MANY = 1000
/** Requests at a time. */
const AT_ONCE = 25
/** What Chromium says about a header that every site gets. */
const OF_EVERY_SITE = /Permissions-Policy header/
const WIDTHS = [360, 760, 1280, 1920]

const folder = join(top, 'crates/store/src/starters')
/** Of a template, what does not become part of the site. */
const ABOUT_IT = ['manifest.json', 'schema.sql', 'preview.svg']
/** Every table has these; `tables.json` does not name them. */
const SYSTEM = /^_/

export async function ids() {
  return (await readdir(folder)).filter((name) => name !== 'shared').sort()
}

/** `site` and `tables` as `Peer.start` takes them, and the picture for choosing it. */
export async function starter(id) {
  const own = await files(join(folder, id))
  const shared = /parts\.js|base\.css/.test(own['index.html']) ? await files(join(folder, 'shared')) : {}
  const site = Object.fromEntries(Object.entries({ ...shared, ...own }).filter(([name]) => !ABOUT_IT.includes(name)))
  const manifest = JSON.parse(own['manifest.json'])
  const columns = schema(own['schema.sql'] ?? '')
  const tables = Object.fromEntries(Object.entries(manifest.tables).map(([name, { insert_policy: policy }]) => [name, { policy, columns: columns[name] }]))
  return { site, tables, preview: own['preview.svg'] }
}

async function files(dir) {
  const names = await readdir(dir)
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name), 'utf8')])))
}

/** The columns of each table, without the system's. */
function schema(sql) {
  const tables = sql.matchAll(/CREATE TABLE (\w+) \(\n([^;]*)\n\);/g)
  return Object.fromEntries([...tables].map(([, name, lines]) => [name, lines.split('\n').map(column).filter((column) => !SYSTEM.test(column.name))]))
}

function column(line) {
  const [, name, type, rest] = /^\s*(\w+) (\w+)(.*?),?$/.exec(line)
  return { name, type, not_null: rest.includes('NOT NULL') }
}

/** The people of a test file, from its beginning to its end. */
export function gathered() {
  const party = new Party()
  before(() => party.gather())
  after(() => party.end())
  const publish = (id) => party.publish(id)
  const visit = (peer, owner) => party.visit(peer, owner)
  const everyone = (owner) => Promise.all([owner, party.visitor, party.second].map((peer) => visit(peer, owner)))
  return { party, publish, visit, everyone }
}

/** Two visitors with a browser each of their own, and owners of sites whom both know. */
class Party {
  async gather() {
    ;[this.browser, this.visitor, this.second] = await Promise.all([launch(), Peer.start('Visitor'), Peer.start('Second visitor')])
  }

  async end() {
    await this.browser?.close()
    await removeAll(this.visitor, this.second)
  }

  /** A peer whose site is that starter. */
  async publish(id) {
    const owner = await Peer.start('Owner', await starter(id))
    await Promise.all([this.visitor.join(owner), this.second.join(owner)])
    return owner
  }

  /** The site in the browser of a peer, who may be the owner. */
  async visit(peer, owner) {
    const { page, odd, context } = await open(this.browser, await peer.site(owner), { reducedMotion: 'reduce' })
    return Object.assign(page, { odd, leave: () => context.close() })
  }
}

/** No script of anybody ran, nothing failed and nothing was asked of others. */
export async function leave(...pages) {
  for (const page of pages) {
    assert.equal(await page.evaluate(() => 'taken' in window), false)
    assert.deepEqual(page.odd.filter((text) => !OF_EVERY_SITE.test(text)), [])
    await page.leave()
  }
}

export const says = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor()
export const button = (page, name) => page.getByRole('button', { name })
export const unfold = (page, name) => page.locator('summary').filter({ hasText: name }).click()
export const confirm = async (page) => {
  await page.getByRole('dialog').getByRole('button', { name: 'OK' }).click()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
}
export const items = (page, list) => page.locator(`${list} > li`)

export async function fill(page, fields) {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value)
}

/** Rows of the owner, in no particular order. */
export async function insert(owner, table, rows) {
  for (let at = 0; at < rows.length; at += AT_ONCE) {
    await Promise.all(rows.slice(at, at + AT_ONCE).map((data) => owner.api('api/data/insert', { table, data })))
  }
}

/** Usable by anyone, at any width, in either color, and by keyboard alone. */
export async function sound(page) {
  await usable(page)
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 })
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(over <= 0, `${width} px: ${over} px too wide`)
  }
  assert.deepEqual(await unreachable(page), [])
}

/** What can be used and is not reached with Tab. Of radio buttons, one in a group is. */
async function unreachable(page) {
  const count = await page.evaluate(() => {
    for (const fold of document.querySelectorAll('details.owner')) fold.open = true
    const usable = [...document.querySelectorAll('a[href], button, input, select, textarea, summary')].filter((item) => item.checkVisibility())
    const reached = new Set()
    Object.assign(window, { usable, reached })
    document.addEventListener('focusin', ({ target }) => reached.add(target.type === 'radio' ? target.name : target))
    document.activeElement?.blur()
    return usable.length
  })
  // A field for a date and a time has several stops.
  for (let at = 0; at < count + 12; at++) await page.keyboard.press('Tab')
  return page.evaluate(() => window.usable.filter((item) => !window.reached.has(item.type === 'radio' ? item.name : item)).map((item) => item.outerHTML))
}

/** So many, then twice as many with the keyboard at the first new one; newest first. */
export async function paged(page, list, size) {
  await items(page, list).nth(size - 1).waitFor()
  assert.equal(await items(page, list).count(), size)
  await usable(page)
  const first = await items(page, list).first().innerText()
  await button(page, 'Show more').press('Enter')
  await items(page, list).nth(2 * size - 1).waitFor()
  assert.equal(await items(page, list).count(), 2 * size)
  assert.equal(await items(page, list).first().innerText(), first)
  await page.waitForFunction(([list, size]) => document.querySelector(list).children[size] === document.activeElement, [list, size])
}

// Every function of the site SDK, called once from a page as existing sites call it: on a visited site and on the user's own.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, profile } from './lib/browser.mjs'
import { Peer, removeAll } from './lib/peer.mjs'

const scripts = ['data', 'identity', 'site', 'peers', 'form', 'forms', 'ui', 'log']
const missing = ['chat', 'group', 'realtime', 'call', 'call-ui', 'mq', 'template', 'router', 'api', 'chatroom', 'component-tabs']

const page = (prefix, names) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>SDK</title>
  <div id="place"></div>${names.map((name) => `<script src="${prefix}goop-${name}.js"></script>`).join('')}`

const site = {
  'feb.html': page('/assets/js/', scripts),
  'head.html': page('/sdk/', scripts),
  'missing-feb.html': page('/assets/js/', missing),
  'missing-head.html': page('/sdk/', missing),
  'note.txt': 'a note',
}
const message = [{ name: 'message', type: 'TEXT', not_null: true }]
const tables = {
  guestbook: { policy: 'public', columns: message },
  exact: { policy: 'public', columns: [{ name: 'n', type: 'INTEGER' }, { name: 'b', type: 'BLOB' }, { name: 'text', type: 'TEXT' }] },
  answers: { policy: 'email', columns: [{ name: 'colour', type: 'TEXT' }, { name: 'size', type: 'INTEGER' }] },
}

let browser, visitor, host, context

before(async () => {
  const config = { profile: { email: 'mira@example.org' } }
  ;[browser, visitor, host] = await Promise.all([launch(), Peer.start('Mira', { site, tables, config }), Peer.start('Host', { site, tables })])
  await visitor.join(host)
  context = await profile(browser)
})

after(async () => {
  await browser?.close()
  await removeAll(visitor, host)
})

async function open(peer, path) {
  const page = await context.newPage()
  await page.goto(await visitor.site(peer, path))
  return page
}

/** Runs in the page; a rejected Promise becomes its message. */
const call = (page, code) => page.evaluate(`(async () => (${code}))().then((value) => value, (error) => 'Error: ' + error.message)`)
const refused = 'Error: schema operations not allowed for remote peers'

for (const [generation, path] of [['/assets/js/', '/feb.html'], ['/sdk/', '/head.html']]) {
  describe(`on a visited site, from ${generation}`, () => {
    let page
    before(async () => (page = await open(host, path)))
    after(() => page.close())

    test('Goop.data reads and writes under the owner’s policy', async () => {
      assert.deepEqual((await call(page, 'Goop.data.tables()')).map(({ name, insert_policy }) => [name, insert_policy]), [['answers', 'email'], ['exact', 'public'], ['guestbook', 'public']])
      assert.deepEqual((await call(page, 'Goop.data.describe("guestbook")')).map((column) => column.name), ['_id', '_owner', '_owner_email', '_created_at', '_updated_at', 'message'])
      const { id, status } = await call(page, 'Goop.data.insert("guestbook", { message: "hello" })')
      assert.deepEqual([typeof id, status], ['number', 'inserted'])
      const [row] = await call(page, `Goop.data.query("guestbook", { columns: ["_id", "_owner", "_owner_email", "message"], where: "_id = ?", args: [${id}], limit: 5, offset: 0 })`)
      assert.deepEqual(row, { _id: id, _owner: visitor.id, _owner_email: 'mira@example.org', message: 'hello' })
      assert.deepEqual(await call(page, `Goop.data.update("guestbook", ${id}, { message: "again" })`), { status: 'updated' })
      assert.equal((await host.rows('guestbook')).find((row) => row._id === id).message, 'again')
      assert.deepEqual(await call(page, `Goop.data.remove("guestbook", ${id})`), { status: 'deleted' })
      assert.deepEqual(await call(page, 'Goop.data.query("guestbook")'), [])
      assert.equal(await call(page, `Goop.data.remove("guestbook", ${id})`), 'Error: row not found or not owned by caller')
      assert.match(await call(page, 'Goop.data.insert("guestbook", {})'), /^Error: /)
    })

    test('Goop.data rounds nothing and keeps bytes', async () => {
      const row = '{ n: 9223372036854775807n, b: Uint8Array.of(0, 255) }'
      const { id } = await call(page, `Goop.data.insert("exact", ${row})`)
      const read = `Goop.data.query("exact", { where: "_id = ? AND n = ?", args: [${id}, 9223372036854775807n] })`
      assert.deepEqual(await call(page, `${read}.then(([row]) => [String(row.n), typeof row.n, [...row.b]])`), ['9223372036854775807', 'bigint', [0, 255]])
      assert.deepEqual(await call(page, `${read}.then(([row]) => Goop.data.update("exact", row._id, { ...row, text: 12025550123 }))`), { status: 'updated' })
      assert.deepEqual(await call(page, `${read}.then(([row]) => [String(row.n), [...row.b], row.text])`), ['9223372036854775807', [0, 255], '12025550123'])
      const twice = `[1, 2].map(() => Goop.data.insert("exact", { n: 5 }, { write: "sdk-test-${generation === '/sdk/' ? 'head' : 'feb'}-0123456789" }))`
      const [first, second] = await call(page, `Promise.all(${twice})`)
      assert.deepEqual(first, second)
    })

    test('Goop.data leaves the tables to their owner', async () => {
      assert.equal(await call(page, 'Goop.data.createTable("mine", [{ name: "x", type: "TEXT" }])'), refused)
      assert.equal(await call(page, 'Goop.data.addColumn("guestbook", { name: "x", type: "TEXT" })'), refused)
      assert.equal(await call(page, 'Goop.data.dropTable("guestbook")'), refused)
    })

    test('Goop.data reports that there are no functions', async () => {
      assert.deepEqual(await call(page, 'Goop.data.functions()'), [])
      assert.equal(await call(page, 'Goop.data.call("score", { a: 1 })'), 'Error: lua scripting not enabled')
    })

    test('Goop.identity is the visitor', async () => {
      assert.deepEqual(await call(page, 'Goop.identity.get()'), { avatar_hash: '', email: 'mira@example.org', id: visitor.id, label: 'Mira' })
      assert.deepEqual(await call(page, 'Promise.all([Goop.identity.id(), Goop.identity.label(), Goop.identity.email()])'), [visitor.id, 'Mira', 'mira@example.org'])
      assert.equal(await call(page, 'Goop.identity.refresh()'), undefined)
      assert.equal(await call(page, 'Goop.identity.id()'), visitor.id)
    })

    test('Goop.site is the visitor’s, and closed', async () => {
      for (const name of ['read', 'fetch']) assert.equal(await call(page, `Goop.site.${name}("note.txt")`), 'Error: A site can link to another site, but not read it.')
    })

    test('Goop.peers knows the owner and the visitor', async () => {
      const both = [host.id, visitor.id].sort()
      assert.deepEqual((await call(page, 'Goop.peers.list()')).map((peer) => peer.ID).sort(), both)
      const [first] = await call(page, 'Goop.peers.list()')
      assert.deepEqual(Object.keys(first).sort(), ['AvatarHash', 'Content', 'Email', 'ID', 'LastSeen', 'VideoDisabled'])
      const snapshot = await call(page, 'new Promise((resolve, reject) => Goop.peers.subscribe({ onSnapshot: resolve, onUpdate() {}, onRemove() {}, onError: reject }))')
      assert.deepEqual(snapshot.map((peer) => peer.ID).sort(), both)
      assert.equal(await call(page, 'Goop.peers.unsubscribe()'), undefined)
    })

    test('Goop.form makes one answer that can be changed', async () => {
      const fields = '[{ name: "colour", label: "Colour", type: "select", options: ["red", "blue"], required: true }, { name: "size", label: "Size", type: "number", placeholder: "42" }]'
      const render = `Goop.form.render(document.querySelector("#place"), { table: "answers", fields: ${fields}, submitLabel: "Send", singleResponse: true, onDone: (row) => (globalThis.done = row) })`
      await call(page, render)
      const answered = (await host.rows('answers')).length > 0
      await page.getByLabel('Colour').selectOption('red')
      await page.getByLabel('Size').fill('7')
      await page.getByRole('button', { name: answered ? 'Update' : 'Send' }).click()
      await page.getByText('Saved.').waitFor()
      assert.deepEqual(await page.evaluate('done'), { colour: 'red', size: '7' })
      await call(page, render)
      assert.equal(await page.getByLabel('Colour').inputValue(), 'red')
      await page.getByLabel('Colour').selectOption('blue')
      await page.getByRole('button', { name: 'Update' }).click()
      await page.getByText('Saved.').waitFor()
      assert.deepEqual((await host.rows('answers')).map((row) => [row._owner_email, row.colour, row.size]), [['mira@example.org', 'blue', 7]])
    })

    test('Goop.forms shows a table and adds to it', async () => {
      await call(page, 'Goop.forms.render("#place", "guestbook")')
      await page.getByText('Nothing here yet.').waitFor()
      await page.getByLabel('message').fill('from a form')
      await page.getByRole('button', { name: 'Add' }).click()
      await page.getByRole('cell', { name: 'from a form' }).waitFor()
      await call(page, 'Goop.forms.insertForm("#place", "guestbook", (row) => (globalThis.inserted = row))')
      await page.getByLabel('message').fill('another')
      await page.getByRole('button', { name: 'Add' }).click()
      const { id, status } = await (await page.waitForFunction('globalThis.inserted')).jsonValue()
      assert.equal(status, 'inserted')
      assert.equal((await host.rows('guestbook')).find((row) => row._id === id).message, 'another')
      for (const { _id } of await host.rows('guestbook')) await host.api('api/data/delete', { table: 'guestbook', id: _id })
    })

    test('Goop.ui shows messages and questions', async () => {
      await call(page, 'Goop.ui.toast("<b>Hello</b>")')
      await page.getByText('<b>Hello</b>').waitFor()
      await call(page, 'Goop.ui.toast({ title: "Title", message: "Text", duration: 20 })')
      await page.getByText('Title').waitFor({ state: 'hidden' })
      const answer = async (code, act) => {
        const answered = call(page, code)
        await page.getByRole('dialog').waitFor()
        await act()
        return answered
      }
      const press = (name) => () => page.getByRole('button', { name }).click()
      assert.equal(await answer('Goop.ui.confirm("Sure?", "Title")', press('OK')), true)
      assert.equal(await answer('Goop.ui.confirm("Sure?")', press('Cancel')), null)
      assert.equal(await answer('Goop.ui.prompt("Name?", "Mira", "Title")', press('OK')), 'Mira')
      const typed = async () => {
        await page.getByRole('textbox', { name: 'Name?' }).fill('Lena')
        await page.keyboard.press('Enter')
      }
      assert.equal(await answer('Goop.ui.prompt("Name?")', typed), 'Lena')
      assert.equal(await answer('Goop.ui.prompt("Name?")', () => page.keyboard.press('Escape')), null)
      assert.equal(await call(page, 'Goop.ui.theme()'), 'light')
    })

    test('Goop.log reaches the viewer', async () => {
      for (const level of ['debug', 'info', 'warn', 'error']) {
        const answered = page.waitForResponse((response) => response.url().endsWith('/api/logs/client'))
        assert.equal(await call(page, `Goop.log.${level}("page", "hello")`), undefined)
        assert.equal((await answered).status(), 204)
      }
    })
  })
}

describe('on the user’s own site', () => {
  let page
  before(async () => (page = await open(visitor, '/feb.html')))

  test('Goop.data may do everything', async () => {
    assert.deepEqual(await call(page, 'Goop.data.createTable("mine", [{ name: "x", type: "INTEGER" }])'), { status: 'created', table: 'mine' })
    assert.deepEqual(await call(page, 'Goop.data.addColumn("mine", { name: "y", type: "TEXT" })'), { status: 'added' })
    assert.equal((await call(page, 'Goop.data.insert("mine", { x: 5, y: "z" })')).status, 'inserted')
    assert.deepEqual((await call(page, 'Goop.data.query("mine", { columns: ["x", "y"] })')), [{ x: 5, y: 'z' }])
    assert.deepEqual(await call(page, 'Goop.data.dropTable("mine")'), { status: 'deleted', table: 'mine' })
  })

  test('Goop.site reads', async () => {
    assert.equal(await call(page, 'Goop.site.read("note.txt")'), 'a note')
    assert.equal(await call(page, 'Goop.site.fetch("/note.txt").then((response) => response.status)'), 200)
    assert.match(await call(page, 'Goop.site.read("no-such.txt")'), /^Error: This site has no page/)
  })

  test('Goop.site does not write yet, and says so', async () => {
    for (const code of ['files()', 'upload("a.txt", new Blob())', 'remove("a.txt")']) assert.match(await call(page, `Goop.site.${code}`), /^Error: Goop\.site\.\w+ is not available in this version/)
  })

  test('a form creates its table', async () => {
    await call(page, 'Goop.form.render("#place", { table: "fresh", fields: [{ name: "word", label: "Word" }] })')
    await page.getByLabel('Word').fill('made')
    await page.getByRole('button', { name: 'Submit' }).click()
    await page.getByText('Saved.').waitFor()
    assert.deepEqual((await visitor.rows('fresh')).map((row) => row.word), ['made'])
  })
})

describe('what this version lacks', () => {
  for (const path of ['/missing-feb.html', '/missing-head.html']) {
    test(`says so, and the rest of the page keeps working: ${path}`, async () => {
      const failed = []
      const page = await context.newPage()
      page.on('pageerror', (error) => failed.push(error.message))
      page.on('response', (response) => response.status() >= 400 && failed.push(response.url()))
      await page.goto(await visitor.site(host, path))
      const calls = {
        'chat.send("x", "y")': 'chat', 'chat.subscribe(() => {})': 'chat', 'group.join("a", "b")': 'group', 'group.list()': 'group', 'realtime.connect("x")': 'realtime',
        'realtime.channels()': 'realtime', 'call.start("x", { video: true })': 'call', 'mq.send("x")': 'mq', 'chatroom.join("x")': 'chatroom', 'tabs.make("x")': 'tabs',
      }
      for (const [code, name] of Object.entries(calls)) assert.equal(await call(page, `Goop.${code}`), `Error: Goop.${name} is not available in this version of Goop2`)
      assert.deepEqual(failed, [])
      await page.close()
    })
  }

  test('the game engine explains itself when used', async () => {
    const page = await open(host, '/feb.html')
    await page.addScriptTag({ url: '/assets/js/goop-engine.js' })
    for (const name of ['GameLoop', 'Renderer', 'SpriteSheet', 'Input', 'Collision', 'TileMap', 'GameAudio', 'SceneManager', 'Entity'])
      assert.equal(await call(page, `new ${name}()`), `Error: ${name} of goop-engine.js is not available in this version of Goop2`)
    await page.close()
  })
})

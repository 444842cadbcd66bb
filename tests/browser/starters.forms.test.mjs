// The sites that Goop2 brings along: forms that visitors fill, with nothing, one and a thousand entries.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { removeAll } from './lib/peer.mjs'
import { MANY, HOSTILE, gathered, button, confirm, fill, insert, items, leave, paged, says, sound, unfold } from './lib/starters.mjs'

const { party, publish, visit, everyone } = gathered()

describe('guestbook', () => {
  let owner
  before(async () => (owner = await publish('guestbook')))
  after(() => removeAll(owner))

  test('begins with words for the owner, and others for visitors', async () => {
    const [mine, theirs, other] = await everyone(owner)
    await mine.getByText('Share the link of your site').waitFor()
    await theirs.getByText('Be the first.').waitFor()
    await sound(mine)
    await leave(mine, theirs, other)
  })

  test('is signed, read, changed and tidied', async () => {
    const theirs = await visit(party.visitor, owner)
    await fill(theirs, { Name: HOSTILE, Message: HOSTILE })
    await button(theirs, 'Sign').click()
    await says(theirs, 'Thank you for signing!')
    await button(theirs, /^Edit/).click()
    await fill(theirs, { Message: `Changed ${HOSTILE}` })
    await button(theirs, 'Save changes').click()
    await items(theirs, '#entries').filter({ hasText: `Changed ${HOSTILE}` }).waitFor()

    const other = await visit(party.second, owner)
    await items(other, '#entries').filter({ hasText: `Changed ${HOSTILE}` }).waitFor()
    assert.equal(await button(other, /^(Edit|Remove)/).count(), 0)
    await fill(other, { Message: 'Hello' })
    await button(other, 'Sign').click()
    await items(other, '#entries').filter({ hasText: 'Hello' }).waitFor()
    await sound(other)

    const mine = await visit(owner, owner)
    await button(mine, 'Remove the entry by Second visitor').click()
    await confirm(mine)
    await says(mine, 'Removed.')
    assert.deepEqual((await owner.rows('guestbook')).map((row) => row.name), [HOSTILE])
    await button(theirs, /^Remove/).click()
    await confirm(theirs)
    await theirs.getByText('Be the first.').waitFor()
    await leave(mine, theirs, other)
  })

  test('by keyboard alone', async () => {
    const page = await visit(party.visitor, owner)
    await page.getByText('Be the first.').waitFor()
    const tabTo = async (name) => {
      for (let at = 0; at < 30; at++) {
        await page.keyboard.press('Tab')
        if (await page.evaluate((name) => (document.activeElement.ariaLabel ?? document.activeElement.labels?.[0]?.innerText ?? document.activeElement.innerText).startsWith(name), name)) return
      }
      assert.fail(`${name} is not reached`)
    }
    for (const message of ['One', 'Two']) {
      await tabTo('Message')
      await page.keyboard.type(message)
      await tabTo('Sign')
      await page.keyboard.press('Enter')
      await items(page, '#entries').filter({ hasText: message }).waitFor()
      await page.evaluate(() => document.activeElement.blur())
    }
    await tabTo('Remove')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Enter')
    await says(page, 'Removed.')
    // The next entry has the focus, and its buttons come next.
    assert.match(await page.evaluate(() => document.activeElement.innerText), /^One/)
    await tabTo('Remove')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    assert.deepEqual((await owner.rows('guestbook')).map((row) => row.message), ['One'])
    await leave(page)
  })

  test('a visitor learns in words why something is not saved', async () => {
    const page = await visit(party.visitor, owner)
    for (const [policy, words] of [['owner', 'Only the owner of this page can add something here.'], ['email', 'The owner asks for an email address']]) {
      await owner.api('api/data/tables/set-policy', { table: 'guestbook', policy })
      await fill(page, { Message: 'Will it be saved?' })
      await button(page, 'Sign').click()
      await says(page.locator('#sign'), words)
      assert.equal(await page.getByLabel('Message').inputValue(), 'Will it be saved?')
    }
    await page.leave()
    await owner.api('api/data/tables/set-policy', { table: 'guestbook', policy: 'public' })
  })

  test('a thousand entries come two dozen at a time', async () => {
    await insert(owner, 'guestbook', Array.from({ length: MANY }, (_, at) => ({ name: `Guest ${at}`, message: 'Hello' })))
    const page = await visit(party.visitor, owner)
    await paged(page, '#entries', 24)
    await leave(page)
  })
})

describe('survey', () => {
  let owner
  before(async () => (owner = await publish('survey')))
  after(() => removeAll(owner))

  const ask = async (page, fields, kind) => {
    await page.getByLabel('Kind of answer').selectOption(kind)
    await fill(page.locator('#ask'), fields)
    await button(page, 'Add').click()
    await says(page.locator('#ask'), 'Saved.')
  }

  test('begins with words for the owner, and others for visitors', async () => {
    const [mine, theirs, other] = await everyone(owner)
    await mine.locator('p.empty', { hasText: /^No questions yet/ }).waitFor()
    await theirs.getByText('There are no questions yet.').waitFor()
    await sound(mine)
    await sound(theirs)
    await leave(mine, theirs, other)
  })

  test('the owner asks, each visitor answers, and only the owner sees all', async () => {
    const mine = await visit(owner, owner)
    await unfold(mine, 'Add a question')
    await fill(mine.locator('#ask'), { Question: 'Too few?', 'Choices, one per line': 'Only one' })
    await button(mine, 'Add').click()
    await says(mine.locator('#ask'), 'Write at least two choices')
    await ask(mine, { Question: HOSTILE, 'Choices, one per line': `Yes\n${HOSTILE}` }, 'one')
    await ask(mine, { Question: 'Which?', 'Choices, one per line': 'A\nB\nC' }, 'many')
    await ask(mine, { Question: 'Anything else?' }, 'text')

    const theirs = await visit(party.visitor, owner)
    await button(theirs, 'Send answers').click()
    await says(theirs, 'Answer at least one question.')
    await theirs.getByRole('radio', { name: HOSTILE }).check()
    await theirs.getByRole('checkbox', { name: 'A' }).check()
    await theirs.getByRole('checkbox', { name: 'C' }).check()
    await fill(theirs, { 'Anything else?': HOSTILE })
    await button(theirs, 'Send answers').click()
    await says(theirs, 'Thank you!')
    await theirs.getByRole('checkbox', { name: 'C' }).uncheck()
    await button(theirs, 'Save changes').click()
    await says(theirs, 'Thank you!')

    const other = await visit(party.second, owner)
    assert.equal(await other.getByText('You answered on').isVisible(), false)
    await other.getByRole('radio', { name: 'Yes' }).check()
    await button(other, 'Send answers').click()
    await says(other, 'Thank you!')
    await sound(other)
    assert.deepEqual(await other.evaluate(() => Goop.data.query('answers', { columns: ['_owner'] })), [{ _owner: party.second.id }])

    await mine.reload()
    await mine.getByText('2 answers').waitFor()
    assert.deepEqual(await mine.locator('.bars .quiet').allInnerTexts(), ['1 · 50%', '1 · 50%', '1 · 100%', '0 · 0%', '0 · 0%'])
    await mine.locator('.words').getByText(HOSTILE).waitFor()
    await sound(mine)
    await button(mine, /^Remove the answers/).last().click()
    await confirm(mine)
    await mine.getByText('1 answer', { exact: true }).waitFor()
    await button(other, 'Remove my answers').click()
    await confirm(other)
    await says(other, 'Your answers are removed.')
    assert.deepEqual(await owner.rows('answers'), [])

    await mine.reload()
    await button(mine, 'Remove “Anything else?”').click()
    await confirm(mine)
    await says(mine, 'Removed.')
    assert.equal((await owner.rows('questions')).length, 2)
    await leave(mine, theirs, other)
  })

  test('a thousand answers, some of them nonsense, are counted and come twenty at a time', async () => {
    const [question] = await owner.rows('questions')
    const nonsense = ['', 'null', '[1]', '{"1":{"a":[]}}', '7']
    await insert(owner, 'answers', Array.from({ length: MANY }, (_, at) => ({ answers: nonsense[at] ?? JSON.stringify({ [question._id]: ['Yes'] }) })))
    const page = await visit(owner, owner)
    await page.getByText(`${MANY} answers`).waitFor()
    await paged(page, '#answers', 20)
    await leave(page)
  })
})

describe('event', () => {
  let owner
  before(async () => (owner = await publish('event')))
  after(() => removeAll(owner))

  const save = (page) => page.locator('#plan').getByRole('button', { name: 'Save' }).click()

  test('begins with words for the owner, and others for visitors', async () => {
    const [mine, theirs, other] = await everyone(owner)
    await mine.getByText('Share the link of your site').waitFor()
    await theirs.getByText('Be the first.').waitFor()
    await sound(mine)
    await leave(mine, theirs, other)
  })

  test('the owner says when and where, and visitors sign up, once each', async () => {
    const mine = await visit(owner, owner)
    await unfold(mine, 'Change what, when and where')
    await fill(mine.locator('#plan'), { What: HOSTILE, When: '2999-06-19T18:30', Where: HOSTILE, 'More about it': HOSTILE })
    await save(mine)
    await says(mine.locator('#plan'), 'Saved.')

    const theirs = await visit(party.visitor, owner)
    await theirs.getByRole('heading', { level: 1, name: HOSTILE }).waitFor()
    await theirs.getByText('June 19, 2999').waitFor()
    await fill(theirs, { 'How many are you?': '3' })
    await theirs.getByLabel('Note').fill(HOSTILE)
    await button(theirs, 'Sign up').click()
    await says(theirs, 'You’re on the list.')
    await theirs.getByText('3 people').first().waitFor()
    await theirs.reload()
    await button(theirs, 'Save changes').waitFor()
    await fill(theirs, { 'How many are you?': '2' })
    await button(theirs, 'Save changes').click()
    await says(theirs, 'You’re on the list.')

    const other = await visit(party.second, owner)
    await items(other, '#guests').filter({ hasText: HOSTILE }).waitFor()
    assert.equal(await button(other, /^(Edit|Remove)/).count(), 0)
    await fill(other, { Name: HOSTILE })
    await button(other, 'Sign up').click()
    await says(other, 'You’re on the list.')
    await sound(other)
    assert.deepEqual((await owner.rows('guests')).map(({ name, people }) => [name, people]), [['Visitor', 2], [HOSTILE, 1]])

    await mine.reload()
    await mine.locator('#total').filter({ hasText: '3 people' }).waitFor()
    await button(mine, 'Remove Visitor').click()
    await confirm(mine)
    await mine.locator('#total').filter({ hasText: '1 person' }).waitFor()
    await button(other, /^Remove/).click()
    await confirm(other)
    await button(other, 'Sign up').waitFor()
    assert.deepEqual(await owner.rows('guests'), [])

    await unfold(mine, 'Change what, when and where')
    await fill(mine.locator('#plan'), { When: '2001-01-01T12:00' })
    await save(mine)
    await mine.getByText('This event is over.').waitFor()
    await leave(mine, theirs, other)
  })

  test('whatever a visitor writes, and however, the list is shown', async () => {
    const theirs = await visit(party.visitor, owner)
    const rows = await theirs.evaluate(async () => {
      const odd = [{ name: 'large', people: 9007199254740993n }, { name: Uint8Array.of(0, 255, 60), people: 'many' }, { name: 7, people: -5, note: '' }, { name: '', people: null, note: 1e300 }]
      for (const row of odd) await Goop.data.insert('guests', row)
      return Goop.data.query('guests')
    })
    assert.deepEqual(rows.length, 4)
    const other = await visit(party.second, owner)
    await items(other, '#guests').nth(3).waitFor()
    assert.equal(await other.locator('#total').innerText(), `${20 + 1 + 1 + 1} people`)
    await leave(theirs, other)
    for (const { _id: id } of rows) await owner.api('api/data/delete', { table: 'guests', id })
  })

  test('a thousand guests come fifty at a time, and all are counted', async () => {
    await insert(owner, 'guests', Array.from({ length: MANY }, (_, at) => ({ name: `Guest ${at}`, people: at ? 1 : 'many' })))
    const page = await visit(party.visitor, owner)
    await page.getByText(`${MANY} people`).waitFor()
    await paged(page, '#guests', 50)
    await leave(page)
  })
})

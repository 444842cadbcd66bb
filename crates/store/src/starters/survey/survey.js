// The survey: the owner writes the table `questions`. Visitors write `answers`, one row each, and see only their own there.
// A row has all answers of one visitor as JSON: { "<id of the question>": "text" or ["choice", …] }.

import { about, all, element, inWords, isOwner, list, me, time, tools, writes } from './parts.js'

/** Answers in words shown under a question; the rest is in the list below. */
const TEXTS_SHOWN = 5

const at = (id) => document.getElementById(id)
const order = (a, b) => (a.position ?? 0) - (b.position ?? 0) || a._id - b._id
const choices = (question) => [...new Set(String(question.choices ?? '').split('\n').map((line) => line.trim()).filter(Boolean))]

let questions = []
let earlier
/** The owner's lists and results, read again. */
let refresh = async () => {}

async function load() {
  try {
    questions = (await all('questions', ['question', 'kind', 'choices', 'position', '_id'])).sort(order)
    earlier = (await all('answers', ['_id', 'answers', '_created_at', '_updated_at'], { _owner: me.id ?? '' })).at(-1)
    at('trouble').textContent = ''
  } catch (error) {
    at('trouble').textContent = `The questions couldn’t be loaded. ${inWords(error)}`
    return
  }
  const given = read(earlier)
  at('questions').replaceChildren(...questions.map((question) => field(question, given[question._id])))
  at('survey').hidden = questions.length === 0
  at('form-title').hidden = !isOwner || questions.length === 0
  at('none').hidden = isOwner || questions.length > 0
  at('earlier').hidden = !earlier
  at('withdraw').hidden = !earlier
  if (earlier) at('earlier').replaceChildren('You answered on ', time(earlier._updated_at ?? earlier._created_at), '. You can change it here.')
  at('survey').querySelector('[type=submit]').textContent = earlier ? 'Save changes' : 'Send answers'
}

/** What a visitor sent, whatever it is: it may not be what this page would write. */
function read(row) {
  try {
    const given = JSON.parse(row.answers)
    return typeof given === 'object' && given ? given : {}
  } catch {
    return {}
  }
}

/** An answer as a list of texts. */
const texts = (answer) => (Array.isArray(answer) ? answer : [answer ?? '']).map(String).filter(Boolean)

// ---------- Everyone: the form

function field(question, answer) {
  const given = texts(answer)
  const name = String(question._id)
  const legend = element('legend', { textContent: question.question })
  if (question.kind === 'text') {
    const label = element('label', {}, element('span', { textContent: question.question }), element('textarea', { name, rows: 3, maxLength: 4000, value: given[0] ?? '' }))
    return element('div', { className: 'question' }, label)
  }
  const type = question.kind === 'many' ? 'checkbox' : 'radio'
  const options = choices(question).map((choice) => element('label', { className: 'choice' }, element('input', { type, name, value: choice, checked: given.includes(choice) }), element('span', { textContent: choice })))
  return element('fieldset', { className: 'question' }, legend, ...options)
}

at('survey').addEventListener('submit', async (event) => {
  event.preventDefault()
  const data = new FormData(event.target)
  const given = questions.map(({ _id, kind }) => [_id, kind === 'text' ? String(data.get(String(_id)) ?? '').trim() : data.getAll(String(_id))])
  const answers = Object.fromEntries(given.filter(([, answer]) => answer.length))
  if (!Object.keys(answers).length) return void (at('sent').textContent = 'Answer at least one question.')
  const row = { answers: JSON.stringify(answers) }
  at('sent').textContent = 'Sending…'
  try {
    await (earlier ? Goop.data.update('answers', earlier._id, row) : Goop.data.insert('answers', row))
    await load()
    await refresh()
    at('sent').textContent = 'Thank you! Your answers are saved.'
  } catch (error) {
    at('sent').textContent = `Your answers couldn’t be saved. ${inWords(error)}`
  }
})

at('withdraw').addEventListener('click', async () => {
  if (!(await Goop.ui.confirm('Remove your answers? This can’t be undone.', 'Remove'))) return
  try {
    await Goop.data.remove('answers', earlier._id)
    await load()
    await refresh()
    at('sent').textContent = 'Your answers are removed.'
  } catch (error) {
    at('sent').textContent = `They couldn’t be removed. ${inWords(error)}`
  }
  at('survey').querySelector('[type=submit]').focus()
})

// ---------- The owner: questions, results, every answer

async function ownerView() {
  let given = []
  const results = list(at('results'), { table: 'questions', size: 100, keys: ['position'], order, show: result })
  const answers = list(at('answers'), { table: 'answers', size: 20, show: sheet })
  const form = writes(at('ask'), { table: 'questions', values, saved: 'Saved.', done: refreshAll })
  const kind = at('ask').elements.kind
  const choose = () => (at('choices').hidden = kind.value === 'text')
  kind.addEventListener('change', choose)
  at('ask').addEventListener('reset', () => setTimeout(choose))

  refresh = async () => {
    given = (await all('answers', ['_id', 'answers'])).map(read)
    at('total').textContent = `${given.length} ${given.length === 1 ? 'answer' : 'answers'}`
    results.redraw()
    await Promise.all([results.reload(), answers.reload()])
  }
  async function refreshAll() {
    await load()
    await refresh()
  }
  globalThis.Goop.data.subscribe?.('answers', refresh)
  await refresh()

  function values(row, editing) {
    if (row.kind !== 'text' && choices(row).length < 2) throw new Error('Write at least two choices, one per line.')
    const last = Math.max(0, ...results.rows().map((other) => other.position ?? 0))
    return { ...row, position: editing?.position ?? last + 1 }
  }

  function result(question) {
    const all = given.map((one) => texts(one[question._id]))
    const name = `“${question.question}”`
    return element('li', {},
      element('h3', { textContent: question.question }),
      question.kind === 'text' ? words(all.flat()) : bars(question, all),
      tools(question, name, {
        Edit: () => {
          form.edit(question)
          choose()
        },
        Remove: async () => {
          await results.remove(question, name)
          await load()
        },
      }))
  }

  function sheet(row) {
    const one = read(row)
    const lines = questions.flatMap((question) => {
      const answer = texts(one[question._id])
      return answer.length ? [element('dt', { textContent: question.question }), element('dd', { textContent: answer.join(', ') })] : []
    })
    const who = row._owner_email || `visitor …${row._owner.slice(-6)}`
    return element('li', {},
      element('p', { className: 'quiet' }, element('span', { textContent: who }), ' · ', time(row._created_at, { dateStyle: 'medium', timeStyle: 'short' })),
      element('dl', {}, ...lines),
      tools(row, `the answers by ${who}`, { Remove: async () => {
        await answers.remove(row, `the answers by ${who}`)
        await refreshAll()
      } }))
  }
}

function bars(question, all) {
  const answered = all.filter((one) => one.length).length
  return element('ul', { className: 'bars' }, ...choices(question).map((choice) => {
    const count = all.filter((one) => one.includes(choice)).length
    const share = answered ? Math.round((100 * count) / answered) : 0
    const bar = element('span', { className: 'bar' })
    bar.style.setProperty('--share', `${share}%`)
    return element('li', {}, element('span', { textContent: choice }), element('span', { className: 'quiet', textContent: `${count} · ${share}%` }), bar)
  }))
}

function words(all) {
  const shown = all.slice(-TEXTS_SHOWN).reverse().map((text) => element('li', { textContent: text }))
  const more = all.length - shown.length
  return element('div', {}, element('ul', { className: 'words' }, ...shown), element('p', { className: 'quiet', textContent: all.length === 0 ? 'No answers yet.' : more > 0 ? `and ${more} more below` : '' }))
}

about()
await load()
if (isOwner) await ownerView()

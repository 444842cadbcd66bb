// The event: what, when and where are one row of the table `event`, which only the owner writes. Guests are rows of `guests`.

import { all, element, list, me, owner, tools, writes } from './parts.js'

/** The form stays open as long after the beginning. */
const HOURS_OPEN = 12
const MOST_PEOPLE = 20

const at = (id) => document.getElementById(id)
const inWordsOf = (date, format) => new Intl.DateTimeFormat(undefined, format).format(date)

// ---------- What, when and where

const plan = writes(at('plan'), { table: 'event', done: load })

async function load() {
  const [row] = (await Goop.data.query('event', { limit: 1 }).catch(() => null)) ?? []
  if (row) plan.edit(row, { focus: false })
  at('plan').querySelector('[type=submit]').textContent = 'Save'
  if (!row) return
  document.querySelector('h1').textContent = document.title = row.title
  at('text').textContent = row.text ?? ''
  at('place').textContent = row.place ?? ''
  show(new Date(row.starts), Boolean(row.place))
}

function show(date, isSomewhere) {
  const isKnown = !Number.isNaN(date.getTime())
  at('facts').hidden = !isKnown && !isSomewhere
  at('date').hidden = at('starts').hidden = at('until').hidden = !isKnown
  if (!isKnown) return
  at('month').textContent = inWordsOf(date, { month: 'short' })
  at('day').textContent = inWordsOf(date, { day: 'numeric' })
  at('weekday').textContent = inWordsOf(date, { weekday: 'long' })
  at('starts').dateTime = date.toISOString()
  at('starts').textContent = inWordsOf(date, { dateStyle: 'long', timeStyle: 'short' })
  at('until').textContent = until(date)
  at('over').hidden = (Date.now() - date) / 3_600_000 <= HOURS_OPEN
  at('join').hidden = !at('over').hidden
}

/** “tomorrow”, “in 12 days”. */
function until(date) {
  const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate())
  const days = Math.round((midnight(date) - midnight(new Date())) / 86_400_000)
  const [count, unit] = Math.abs(days) < 60 ? [days, 'day'] : [Math.round(days / 30.4), 'month']
  return new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' }).format(count, unit)
}

// ---------- Who is coming

const join = at('join')
join.elements.name.defaultValue = me.label ?? ''
const guests = list(at('guests'), { table: 'guests', size: 50, keys: ['people'], show: guest, after: count })
const form = writes(join, { table: 'guests', values: (row) => ({ ...row, people: people(row.people) }), saved: 'You’re on the list. You can change it here.', done: changed })

/** A number of people that makes sense, whatever is written. */
const people = (number) => Math.min(MOST_PEOPLE, Math.max(1, Math.round(Number(number)) || 1))

function guest(row) {
  const name = row.name || 'Someone'
  const line = element('p', {}, element('strong', { textContent: name }))
  if (people(row.people) > 1) line.append(' ', element('span', { className: 'badge', textContent: `${people(row.people)} people` }))
  if (row._owner === owner) line.append(' ', element('span', { className: 'badge', textContent: 'Host' }))
  return element('li', {}, line,
    row.note ? element('p', { className: 'note', textContent: row.note }) : '',
    tools(row, name, { Edit: () => form.edit(row), Remove: async () => {
      await guests.remove(row, name)
      await mine()
    } }))
}

async function changed() {
  await guests.reload()
  await mine()
}

/** Who has signed up finds the own entry in the form. */
async function mine() {
  const [row] = await all('guests', ['_id', '_owner', 'name', 'people', 'note'], { _owner: me.id ?? '' }).catch(() => [])
  if (row) form.edit(row, { focus: false })
  else join.reset()
}

function count(rows) {
  const total = rows.reduce((sum, row) => sum + people(row.people), 0)
  at('total').textContent = total === 0 ? '' : total === 1 ? '1 person' : `${total} people`
}

// The form is shown once it is known what is in it already.
await mine()
at('join').hidden = false
await load()

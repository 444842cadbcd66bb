// The table `guestbook` belongs to the owner. Its policy `public` lets anyone read and add entries, and remove their own.

const form = document.getElementById('sign')
const list = document.getElementById('entries')
const status = document.getElementById('status')
const shown = 100
const refreshEveryMs = 10_000

// Without the SDK, the browser can still post the form: the page's address contains the owner's peer ID.
const peer = location.pathname.match(/^\/p\/([^/]+)\//)?.[1]
if (peer) form.action = `/api/p/${peer}/data/insert`

const when = new Intl.DateTimeFormat(undefined, { dateStyle: 'long', timeStyle: 'short' })
let visitor = null
let last = ''

if (window.Goop?.data) start()
else status.textContent = 'This viewer has no data library, so earlier entries can’t be shown.'

async function start() {
  form.addEventListener('submit', sign)
  visitor = await Goop.identity?.id().catch(() => null)
  last = '' // entries shown so far have no Remove button
  await show()
  setInterval(() => document.hidden || show(), refreshEveryMs)
}

async function show() {
  try {
    const rows = (await Goop.data.query('guestbook')) ?? []
    const now = JSON.stringify(rows)
    if (now === last && list.childElementCount) return
    last = now
    list.replaceChildren(...(rows.length ? rows.slice(-shown).reverse().map(entry) : [firstToSign()]))
  } catch (error) {
    status.textContent = `The entries couldn’t be loaded. ${error.message}`
  }
}

async function sign(event) {
  event.preventDefault()
  const button = form.querySelector('button')
  const { name, message } = Object.fromEntries(new FormData(form))
  if (!message.trim()) return
  button.disabled = true
  try {
    await Goop.data.insert('guestbook', { name: name.trim(), message: message.trim() })
    form.elements.message.value = ''
    status.textContent = 'Thank you for signing!'
    await show()
  } catch (error) {
    status.textContent = `Your entry couldn’t be saved. ${error.message}`
  } finally {
    button.disabled = false
  }
}

async function remove(row) {
  try {
    await Goop.data.remove('guestbook', row._id)
    status.textContent = 'Entry removed.'
    await show()
  } catch (error) {
    status.textContent = `The entry couldn’t be removed. ${error.message}`
  }
}

function entry(row) {
  const item = document.createElement('li')
  item.append(text('p', row.message), text('strong', row.name || 'someone passing by'), time(row._created_at))
  if (visitor && (row._owner === visitor || peer === visitor)) {
    const button = text('button', 'Remove')
    button.type = 'button'
    button.setAttribute('aria-label', `Remove the entry by ${row.name || 'someone passing by'}`)
    button.addEventListener('click', () => remove(row))
    item.append(button)
  }
  return item
}

// SQLite's timestamps are UTC, but don't say so.
function time(stamp) {
  const date = new Date(`${String(stamp).replace(' ', 'T')}Z`)
  const element = text('time', Number.isNaN(date.getTime()) ? '' : when.format(date))
  if (element.textContent) element.dateTime = date.toISOString()
  return element
}

function firstToSign() {
  const item = text('li', 'No entries yet. Be the first to sign.')
  item.className = 'quiet'
  return item
}

// Entries come from strangers: text only, never markup.
function text(tag, content) {
  const element = document.createElement(tag)
  element.textContent = content
  return element
}

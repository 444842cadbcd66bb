// What the pages of this site share: who is looking, lists that show rows, and forms that write them.
//
// Whatever somebody typed goes into the page as text (textContent), never as HTML. Keep it so: then nobody can put a script here.

/** Rows asked for at a time: fewer than any peer refuses. */
const PORTION = 1000
/** Rows of which everything is read at a time. */
const WHOLE_ROWS = 100

/** The peer whose site this is: its id is in the address. */
export const owner = /^\/p\/([^/]+)\//.exec(location.pathname)?.[1]

await library('data', 'identity', 'ui')

/** Who is looking: { id, label, email }. */
export const me = await Goop.identity.get().catch(() => ({}))
export const isOwner = Boolean(owner) && me.id === owner
/** The owner may change every row, a visitor their own. */
export const mayChange = (row) => isOwner || (Boolean(me.id) && row._owner === me.id)

// <p data-for="owner" hidden> is shown to the owner only, data-for="visitor" to everyone else.
for (const part of document.querySelectorAll('[data-for]')) part.hidden = (part.dataset.for === 'owner') !== isOwner

/** The name of the peer whose site this is, if it is known. The page loads goop-peers.js for this. */
export async function ownerName() {
  if (isOwner) return me.label
  const peers = (await Goop.peers?.list().catch(() => null)) ?? []
  return peers.find((peer) => peer.ID === owner)?.Content ?? ''
}

/** An element with properties and children: element('p', { className: 'quiet' }, 'Some text'). */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties)
  node.append(...children)
  return node
}

/** When a row was written. The database says it in UTC. */
export function time(stamp, format = { dateStyle: 'long' }) {
  const date = new Date(`${String(stamp).replace(' ', 'T')}Z`)
  if (Number.isNaN(date.getTime())) return ''
  return element('time', { dateTime: date.toISOString(), textContent: new Intl.DateTimeFormat(undefined, format).format(date) })
}

/** Every row of a table, oldest first; with `where`, only those with these values: { post: 5 }. */
export async function all(table, columns, where = {}) {
  const condition = ['_id > ?', ...Object.keys(where).map((name) => `${name} = ?`)].join(' AND ')
  const rows = []
  for (;;) {
    const args = [rows.at(-1)?._id ?? 0, ...Object.values(where)]
    const more = (await Goop.data.query(table, { columns, where: condition, args, limit: PORTION })) ?? []
    rows.push(...more)
    if (more.length < PORTION) return rows
  }
}

/**
 * Shows the rows of a table in `place`, newest first, as many as `size`, and a button for more.
 * `show` makes an element of a row. `where` chooses rows, as for `all`. `order` sorts by other columns, named in `keys`. `fields` are the
 * columns to read. `after` runs whenever the rows were read, with the _id and the keys of all of them.
 * The element after `place` is shown when there are no rows, and the one after that says what went wrong.
 */
export function list(place, { table, show, size = 20, where, keys = [], order = (a, b) => b._id - a._id, fields, after }) {
  const empty = place.nextElementSibling
  const said = empty.nextElementSibling
  const more = element('button', { type: 'button', className: 'more', textContent: 'Show more', hidden: true })
  empty.after(more)
  const made = new Map()
  let index = []
  let count = size
  let latest = 0
  let reading
  let failed = false

  async function read(ids) {
    const found = new Map()
    for (let at = 0; at < ids.length; at += WHOLE_ROWS) {
      const some = ids.slice(at, at + WHOLE_ROWS)
      const rows = await Goop.data.query(table, { columns: fields, where: `_id IN (${some.map(() => '?').join(', ')})`, args: some })
      for (const row of rows ?? []) found.set(row._id, row)
    }
    return ids.flatMap((id) => found.get(id) ?? [])
  }

  /** The element of a row; the same one as before if the row is. */
  function item(row) {
    const text = JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? String(value) : value))
    if (made.get(row._id)?.text !== text) made.set(row._id, { text, node: show(row) })
    const { node } = made.get(row._id)
    node.tabIndex = -1
    return node
  }

  /** Reads the rows again. The keyboard stays where it is, also if a row was made again. */
  const reload = () => (reading = load(++latest))

  async function load(mine) {
    try {
      const now = (await all(table, ['_id', ...keys], where)).sort(order)
      const rows = await read(now.slice(0, count).map((row) => row._id))
      // Asked for again in between: then that is what counts.
      if (mine !== latest) return reading
      index = now
      const focused = place.contains(document.activeElement) ? document.activeElement.ariaLabel : null
      arrange(place, rows.map(item))
      if (focused && !place.contains(document.activeElement)) [...place.querySelectorAll('button')].find((button) => button.ariaLabel === focused)?.focus()
      empty.hidden = index.length > 0
      more.hidden = index.length <= count
      after?.(index)
      if (failed) said.textContent = ''
      failed = false
    } catch (error) {
      if (mine !== latest) return reading
      failed = true
      said.textContent = `This list couldn’t be loaded. ${inWords(error)}`
    }
  }

  more.addEventListener('click', async () => {
    const first = count
    count += size
    await reload()
    place.children[first]?.focus()
  })

  /** Removes a row after asking, and leaves the keyboard at the one that took its place. */
  async function remove(row, name) {
    if (!(await Goop.ui.confirm(`Remove ${name}? This can’t be undone.`, 'Remove'))) return
    const at = [...place.children].indexOf(made.get(row._id)?.node)
    try {
      await Goop.data.remove(table, row._id)
      await reload()
      said.textContent = 'Removed.'
    } catch (error) {
      said.textContent = `It couldn’t be removed. ${inWords(error)}`
    }
    const next = place.children[Math.min(at, place.children.length - 1)] ?? empty
    next.tabIndex = -1
    next.focus()
  }

  globalThis.Goop.data.subscribe?.(table, reload)
  /** Makes every element again at the next reload: `show` also depends on other things, and those changed. */
  const redraw = () => made.clear()
  return { reload, redraw, remove, rows: () => index, loaded: Promise.resolve().then(reload) }
}

/** Puts these elements into a place, and touches none that is there already. */
function arrange(place, nodes) {
  const wanted = new Set(nodes)
  for (const child of [...place.children]) if (!wanted.has(child)) child.remove()
  nodes.forEach((node, at) => place.children[at] === node || place.insertBefore(node, place.children[at] ?? null))
}

/** Buttons under a row, for those who may change it: tools(row, 'the entry by Kim', { Edit: …, Remove: … }). */
export function tools(row, name, actions) {
  if (!mayChange(row)) return ''
  const buttons = Object.entries(actions).map(([label, onclick]) => element('button', { type: 'button', textContent: label, ariaLabel: `${label} ${name}`, onclick }))
  return element('p', { className: 'tools' }, ...buttons)
}

/**
 * Makes a form write rows; its fields are named like the columns. It adds a row, or changes the one that was given to `edit`.
 * `values(row, before)` may change what is written, `done(row)` runs after that. Inside the form, [role=status] says how it went.
 */
export function writes(form, { table, values = (row) => row, done, saved = 'Saved.' }) {
  const said = form.querySelector('[role=status]')
  const submit = form.querySelector('[type=submit]')
  const cancel = form.querySelector('[type=reset]')
  const label = submit.textContent
  let editing
  let write
  let busy = false

  form.addEventListener('input', () => {
    write = undefined
    said.textContent = ''
  })
  form.addEventListener('reset', () => {
    editing = undefined
    write = undefined
    submit.textContent = label
    if (cancel) cancel.hidden = true
    said.textContent = ''
  })
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    if (busy) return
    busy = true
    said.textContent = 'Saving…'
    try {
      // The same id until it worked: what is sent twice is written once.
      write ??= { write: crypto.randomUUID?.() }
      const row = values(Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()])), editing)
      if (editing) await Goop.data.update(table, editing._id, row, write)
      else await Goop.data.insert(table, row, write)
      form.reset()
      await done?.(row)
      said.textContent = saved
    } catch (error) {
      said.textContent = `It couldn’t be saved. ${inWords(error)}`
    }
    busy = false
  })

  return {
    /** Fills in a row, to be changed. */
    edit(row, { focus = true } = {}) {
      form.reset()
      for (const field of form.elements) if (field.name) field.value = row[field.name] ?? ''
      editing = row
      submit.textContent = 'Save changes'
      if (cancel) cancel.hidden = false
      if (!focus) return
      const fold = form.closest('details')
      if (fold) fold.open = true
      form.querySelector('input, textarea, select').focus()
    },
  }
}

/** The title and the text at the top, from the table `about`. The owner changes them in the form #about-form. */
export async function about(fallback = {}) {
  const places = { title: document.querySelector('h1'), text: document.getElementById('about') }
  const form = document.getElementById('about-form')
  const shown = { title: fallback.title ?? places.title.textContent, text: fallback.text ?? places.text.textContent.trim() }
  let row

  async function load() {
    const [first] = (await Goop.data.query('about', { limit: 1 }).catch(() => null)) ?? []
    row = first
    for (const [name, place] of Object.entries(places)) place.textContent = row ? row[name] : shown[name]
    document.title = places.title.textContent
  }

  await load()
  if (!isOwner) return
  const fill = () => {
    for (const name of Object.keys(places)) form.elements[name].value = row ? row[name] : shown[name]
  }
  fill()
  const said = form.querySelector('[role=status]')
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const { title, text } = Object.fromEntries(new FormData(form))
    const values = { title: title.trim(), text: text.trim() }
    try {
      await (row ? Goop.data.update('about', row._id, values) : Goop.data.insert('about', values))
      await load()
      fill()
      said.textContent = 'Saved.'
    } catch (error) {
      said.textContent = `It couldn’t be saved. ${inWords(error)}`
    }
  })
}

/** What a database or a network says, for the person at the form. */
export function inWords(error) {
  const text = String(error?.message ?? error)
  const known = [
    [/only accepts data from the site owner/, 'Only the owner of this page can add something here.'],
    [/must have an email/, 'The owner asks for an email address: enter yours in the settings of Goop2, then try again.'],
    [/as one visitor may/, 'You have stored as much here as one visitor may. Remove something first.'],
    [/is full/, 'There is no room left on this site. Please tell the owner.'],
    [/too large|too much/, 'It is too long. Please shorten it.'],
    [/not owned by caller|owner only/, 'It isn’t yours, or it is no longer there.'],
    [/no such table/, 'A table of this page is missing. The owner can choose this starter again.'],
    [/NOT NULL/, 'Something is missing: please fill in every field that is needed.'],
    [/Failed to fetch|Load failed|NetworkError|not reachable|timed out|unreachable/i, 'The owner’s computer doesn’t answer at the moment. Try again later.'],
  ]
  return known.find(([pattern]) => pattern.test(text))?.[1] ?? text
}

/** The library comes with every visitor's Goop2. Older ones keep it in another folder than the page names. */
async function library(...names) {
  for (const name of names) {
    if (globalThis.Goop?.[name]) continue
    await new Promise((done, failed) => {
      const script = element('script', { src: `/assets/js/goop-${name}.js`, onload: done, onerror: failed })
      document.head.append(script)
    }).catch(() => {
      document.querySelector('main').prepend(element('p', { role: 'alert', className: 'trouble', textContent: 'This page works when it is opened in Goop2.' }))
      throw new Error(`goop-${name}.js is missing`)
    })
  }
}

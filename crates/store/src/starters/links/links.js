// The link page: links are rows of the table `links`, which only the owner writes.

import { about, element, inWords, isOwner, list, owner, ownerName, tools, writes } from './parts.js'

/** Where a link may lead. Anything else, a script above all, is shown as text. */
const KINDS = ['https:', 'http:', 'mailto:', 'tel:', 'goop:']

const portrait = document.getElementById('portrait')
portrait.addEventListener('error', () => (portrait.hidden = true))
portrait.src = `/api/avatar/peer/${owner}`

const links = list(document.getElementById('links'), { table: 'links', size: 50, show: link, keys: ['position'], order: (a, b) => (a.position ?? 0) - (b.position ?? 0) || a._id - b._id })
const form = writes(document.getElementById('add'), { table: 'links', values, saved: 'Saved.', done: links.reload })
about({ title: (await ownerName()) || undefined })

/** What is written: a new link comes last, and “example.org” is meant as an address of the web. */
function values(row, editing) {
  const address = /^[a-z]+:/i.test(row.address) ? row.address : `https://${row.address}`
  if (!target(address)) throw new Error('This address can’t be a link. It should begin with https://, mailto: or tel:.')
  const last = Math.max(0, ...links.rows().map((other) => other.position ?? 0))
  return { ...row, address, position: editing?.position ?? last + 1 }
}

function target(address) {
  const url = URL.canParse(address) ? new URL(address) : null
  return KINDS.includes(url?.protocol) ? url.href : null
}

function link(row) {
  const href = target(row.address)
  const text = [element('strong', { textContent: row.title }), ...(row.note ? [element('span', { textContent: row.note })] : [])]
  const card = href ? element('a', { className: 'card', href, rel: 'noreferrer' }, ...text) : element('p', { className: 'card' }, ...text, element('span', { textContent: row.address }))
  const name = `“${row.title}”`
  return element('li', {}, card, isOwner ? tools(row, name, {
    Edit: () => form.edit(row),
    'Move up': () => move(row, -1),
    'Move down': () => move(row, 1),
    Remove: () => links.remove(row, name),
  }) : '')
}

/** Changes places with the one above or below. */
async function move(row, by) {
  const order = links.rows()
  const other = order[order.findIndex((one) => one._id === row._id) + by]
  if (!other) return
  try {
    await Goop.data.update('links', row._id, { position: other.position })
    await Goop.data.update('links', other._id, { position: row.position })
  } catch (error) {
    Goop.ui.toast(inWords(error))
  }
  await links.reload()
}

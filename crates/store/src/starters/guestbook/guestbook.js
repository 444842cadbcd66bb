// The guestbook: entries are rows of the table `guestbook`. Everyone may add some; the owner may change all, a visitor their own.

import { about, element, list, me, owner, time, tools, writes } from './parts.js'

const sign = document.getElementById('sign')
sign.elements.name.defaultValue = me.label ?? ''

const entries = list(document.getElementById('entries'), { table: 'guestbook', size: 24, show: entry })
const form = writes(sign, { table: 'guestbook', saved: 'Thank you for signing!', done: entries.reload })
about()

function entry(row) {
  const name = row.name || 'A visitor'
  const by = element('p', { className: 'by' }, element('strong', { textContent: name }))
  if (row._owner === owner) by.append(' ', element('span', { className: 'badge', textContent: 'Owner' }))
  by.append(' ', time(row._created_at))
  return element('li', { className: `note-${row._id % 4}` },
    element('p', { className: 'message', textContent: row.message }),
    by,
    tools(row, `the entry by ${name}`, { Edit: () => form.edit(row), Remove: () => entries.remove(row, `the entry by ${name}`) }))
}

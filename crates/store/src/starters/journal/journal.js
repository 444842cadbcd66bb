// The journal: entries are rows of the table `posts`, which only the owner writes. Answers are rows of `comments`.

import { about, element, isOwner, list, me, time, tools, writes } from './parts.js'

const posts = list(document.getElementById('posts'), { table: 'posts', size: 10, show: post })
const form = writes(document.getElementById('write'), { table: 'posts', saved: 'Published.', done: posts.reload })
about()

function post(row) {
  const name = `“${row.title}”`
  return element('li', {}, element('article', {},
    time(row._created_at),
    element('h2', { textContent: row.title }),
    ...paragraphs(row.text ?? ''),
    isOwner ? tools(row, name, { Edit: () => form.edit(row), Remove: () => posts.remove(row, name) }) : '',
    comments(row),
  ))
}

/** Answers, read when somebody opens them. */
function comments(row) {
  const place = element('ol', { className: 'comments', ariaLabel: `Answers to “${row.title}”` })
  const empty = element('p', { className: 'quiet', textContent: 'No answers yet.', hidden: true })
  const fold = element('details', {}, element('summary', { ariaLabel: `Answers to “${row.title}”`, textContent: 'Answers' }), place, empty, element('p', { role: 'status' }))
  fold.addEventListener('toggle', () => {
    if (!fold.open || place.dataset.read) return
    place.dataset.read = 'yes'
    const answers = list(place, {
      table: 'comments',
      where: { post: row._id },
      show: (answer) => element('li', {},
        element('p', { className: 'message', textContent: answer.message }),
        element('p', { className: 'quiet' }, element('strong', { textContent: answer.name || 'A visitor' }), ' · ', time(answer._created_at)),
        tools(answer, `the answer by ${answer.name || 'a visitor'}`, { Remove: () => answers.remove(answer, 'this answer') })),
    })
    fold.append(answerForm(row, answers))
  })
  return fold
}

function answerForm(row, answers) {
  const form = element('form', { ariaLabel: `Answer “${row.title}”` },
    element('label', {}, 'Name', element('input', { name: 'name', maxLength: 80, defaultValue: me.label ?? '' })),
    element('label', {}, 'Your answer', element('textarea', { name: 'message', rows: 2, maxLength: 4000, required: true })),
    element('div', { className: 'row' }, element('button', { type: 'submit', textContent: 'Send' })),
    element('p', { role: 'status' }))
  writes(form, { table: 'comments', values: (answer) => ({ ...answer, post: row._id }), saved: 'Thank you.', done: answers.reload })
  return form
}

/** A text as paragraphs, and web addresses in it as links. */
function paragraphs(text) {
  return text.split(/\n\s*\n/).filter((part) => part.trim()).map((part) => element('p', { className: 'message' }, ...linked(part.trim())))
}

function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"“”]*[^\s<>"“”.,;:!?)])/).map((part, at) => (at % 2 ? element('a', { href: part, textContent: part, rel: 'noreferrer' }) : part))
}

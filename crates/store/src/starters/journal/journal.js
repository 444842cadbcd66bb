// The journal: entries are rows of the table `posts`, which only the owner writes. What visitors say about them are rows of
// `comments`.

import { about, all, element, isOwner, list, me, time, tools, writes } from './parts.js'

/** Comments of each entry. */
const counts = new Map()
for (const { post } of await all('comments', ['_id', 'post']).catch(() => [])) counts.set(post, (counts.get(post) ?? 0) + 1)

const posts = list(document.getElementById('posts'), { table: 'posts', size: 10, show: post })
const form = writes(document.getElementById('write'), { table: 'posts', saved: 'Published.', done: posts.reload })
about()

function post(row) {
  const name = `“${row.title}”`
  return element('li', {}, element('article', {},
    time(row._created_at),
    element('h2', { textContent: row.title }),
    ...paragraphs(String(row.text ?? '')),
    isOwner ? tools(row, name, { Edit: () => form.edit(row), Remove: () => posts.remove(row, name) }) : '',
    comments(row),
  ))
}

/** Comments, read when somebody opens them. */
function comments(row) {
  const summary = element('summary')
  const place = element('ol', { className: 'comments', ariaLabel: `Comments on “${row.title}”` })
  const empty = element('p', { className: 'quiet', textContent: 'No comments yet.', hidden: true })
  const fold = element('details', {}, summary, place, empty, element('p', { role: 'status' }))
  const count = (number) => (summary.textContent = number === 0 ? 'Comment' : number === 1 ? '1 comment' : `${number} comments`)
  count(counts.get(row._id) ?? 0)
  fold.addEventListener('toggle', () => {
    const shown = commentList(row, place, (rows) => count(rows.length))
    const form = commentForm(row)
    fold.append(form)
    writes(form, { table: 'comments', values: (comment) => ({ ...comment, post: row._id }), saved: 'Thank you.', done: shown.reload })
  }, { once: true })
  return fold
}

function commentList(row, place, after) {
  const comments = list(place, {
    table: 'comments',
    where: { post: row._id },
    after,
    show: (comment) => {
      const name = comment.name || 'A visitor'
      const by = element('p', { className: 'quiet' }, element('strong', { textContent: name }), ' · ', time(comment._created_at))
      return element('li', {},
        element('p', { className: 'message', textContent: comment.message }),
        by,
        tools(comment, `the comment by ${name}`, { Remove: () => comments.remove(comment, `the comment by ${name}`) }))
    },
  })
  return comments
}

function commentForm(row) {
  return element('form', { ariaLabel: `Comment on “${row.title}”` },
    element('label', {}, 'Name', element('input', { name: 'name', maxLength: 80, defaultValue: me.label ?? '' })),
    element('label', {}, 'Comment', element('textarea', { name: 'message', rows: 2, maxLength: 4000, required: true })),
    element('div', { className: 'row' }, element('button', { type: 'submit', textContent: 'Send' })),
    element('p', { role: 'status' }))
}

/** A text as paragraphs, and web addresses in it as links. */
function paragraphs(text) {
  return text.split(/\n\s*\n/).filter((part) => part.trim()).map((part) => element('p', { className: 'message' }, ...linked(part.trim())))
}

function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"“”]*[^\s<>"“”.,;:!?)])/).map((part, at) => (at % 2 ? element('a', { href: part, textContent: part, rel: 'noreferrer' }) : part))
}

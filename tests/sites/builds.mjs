// What Vite, VitePress and Eleventy build from small sources; nothing is fetched.

import { copyFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, sources } from '../browser/lib/builds.mjs'

const packages = fileURLToPath(new URL('node_modules', import.meta.url))

async function built(files, pictures, program, ...args) {
  const dir = await sources({ 'package.json': '{ "private": true, "type": "module" }', ...files }, pictures)
  await symlink(packages, join(dir, 'node_modules'))
  await run(join(packages, '.bin', program), args, { cwd: dir, env: { ...process.env, NO_COLOR: '1' } })
  return dir
}

/** An application of one page with history routing and a part that is loaded later. */
export async function vite() {
  const dir = await built(
    {
      'index.html': '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>App</title><link rel="icon" href="/heron.png"></head><body><div id="app"></div><script type="module" src="/src/main.js"></script></body></html>',
      'src/main.css': 'h1 { background: url("./picture.png") no-repeat right }\n',
      'src/picture.js': "import url from './picture.png'\nexport const picture = `<img src=\"${url}\" alt=\"A heron\">`\n",
      'src/main.js': `import './main.css'
const show = async () => {
  const { picture } = await import('./picture.js')
  document.querySelector('#app').innerHTML = \`<h1>\${location.pathname}</h1><a href="/">Home</a> <a href="/notes/1">One</a> <a href="/notes/2">Two</a>\${picture}\`
}
addEventListener('popstate', show)
addEventListener('click', (event) => {
  const link = event.target.closest('a')
  if (!link) return
  event.preventDefault()
  history.pushState(null, '', link.getAttribute('href'))
  show()
})
show()
`,
    },
    ['public/heron.png', 'src/picture.png'],
    'vite', 'build', '--logLevel', 'warn', '--assetsInlineLimit', '0',
  )
  await copyFile(join(dir, 'dist/index.html'), join(dir, 'dist/200.html'))
  return join(dir, 'dist')
}

/** A manual whose pages take over from the server once they are loaded. */
export async function vitepress() {
  const dir = await built(
    {
      '.vitepress/config.mjs': "export default { title: 'Heron manual', head: [['link', { rel: 'icon', href: '/heron.png' }]], themeConfig: { search: { provider: 'local' }, nav: [{ text: 'Guide', link: '/guide/start' }], sidebar: [{ text: 'Guide', items: [{ text: 'Start', link: '/guide/start' }, { text: 'Deep', link: '/guide/deep/page' }] }] } }\n",
      'index.md': '# Herons\n\nRead the [guide](/guide/start).\n\n![A heron](/heron.png)\n',
      'guide/start.md': '# Start\n\nGo [deeper](./deep/page.md#wading).\n',
      'guide/deep/page.md': '# Deep\n\n## Wading\n\nA rare word: xylophone.\n\n```js\nexport const heron = 1\n```\n',
    },
    ['public/heron.png'],
    'vitepress', 'build',
  )
  return join(dir, '.vitepress/dist')
}

/** A blog of plain pages. */
export async function eleventy() {
  const layout = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title><link rel="icon" href="/img/heron.png"><link rel="stylesheet" href="{{ \'/css/main.css\' | url }}"></head><body><nav><a href="{{ \'/\' | url }}">Home</a></nav><h1>{{ title }}</h1>{{ content | safe }}</body></html>'
  const dir = await built(
    {
      'eleventy.config.js': "export default (config) => { config.addPassthroughCopy('img'); config.addPassthroughCopy('css'); return { dir: { input: '.', output: '_site' } } }\n",
      '_includes/base.njk': layout,
      'css/main.css': 'body { background: url("../img/heron.png") no-repeat right top }\n',
      'index.njk': '---\nlayout: base.njk\ntitle: Pond notes\n---\n<img src="/img/heron.png" alt="A heron"><ul>{% for post in collections.post %}<li><a href="{{ post.url | url }}">{{ post.data.title }}</a></li>{% endfor %}</ul>\n',
      '404.njk': '---\nlayout: base.njk\ntitle: No such pond\npermalink: /404.html\n---\n',
      'posts/first.md': '---\nlayout: base.njk\ntitle: The first post\ntags: post\n---\n[The second](/posts/second/)\n',
      'posts/second.md': '---\nlayout: base.njk\ntitle: The second post\ntags: post\n---\n![A heron](/img/heron.png)\n',
    },
    ['img/heron.png'],
    'eleventy', '--quiet',
  )
  return join(dir, '_site')
}

// Sites as generators build them, from sources written here: nothing is fetched.

import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { top } from './program.mjs'

export const run = promisify(execFile)
const made = []

/** Removes what was written and built. */
export const removeBuilds = () => Promise.all(made.splice(0).map((dir) => rm(dir, { recursive: true })))

/** Writes files into a temporary folder; a picture is the one of the demo peer. */
export async function sources(files, pictures = []) {
  const dir = await mkdtemp(join(tmpdir(), 'goop2-build-'))
  made.push(dir)
  for (const path of [...Object.keys(files), ...pictures]) await mkdir(dirname(join(dir, path)), { recursive: true })
  for (const [path, text] of Object.entries(files)) await writeFile(join(dir, path), text)
  for (const path of pictures) await copyFile(join(top, 'peers/neighbour/avatar.png'), join(dir, path))
  return dir
}

/** A blog for the root of a host. `public` is what it builds. */
export async function hugo() {
  const dir = await sources(
    {
      'config.toml': 'baseURL = "/"\nlanguageCode = "en"\ntitle = "Pond notes"\ndisableKinds = ["taxonomy", "term"]\n',
      'layouts/_default/baseof.html': `<!doctype html><html lang="{{ site.LanguageCode }}"><head><meta charset="utf-8"><title>{{ .Title }}</title>
{{ $css := resources.Get "css/main.css" | minify | fingerprint }}<link rel="stylesheet" href="{{ $css.RelPermalink }}" integrity="{{ $css.Data.Integrity }}">
{{ $js := resources.Get "js/main.js" | js.Build | fingerprint }}<script src="{{ $js.RelPermalink }}" integrity="{{ $js.Data.Integrity }}" defer></script>
<link rel="icon" href="/img/heron.png">{{ range .AlternativeOutputFormats }}{{ printf \`<link rel="%s" type="%s" href="%s">\` .Rel .MediaType.Type .RelPermalink | safeHTML }}{{ end }}
</head><body><nav><a href="/">Home</a> <a href="{{ "posts/" | relURL }}">Posts</a> <a href="/about/">About</a></nav><main>{{ block "main" . }}{{ end }}</main></body></html>`,
      'layouts/_default/list.html': '{{ define "main" }}<h1>{{ .Title }}</h1>{{ .Content }}<ul>{{ range .Pages }}<li><a href="{{ .RelPermalink }}">{{ .Title }}</a></li>{{ end }}</ul>{{ end }}',
      'layouts/_default/single.html': `{{ define "main" }}<h1>{{ .Title }}</h1>{{ .Content }}{{ range .Resources.ByType "image" }}{{ $small := .Resize "32x" }}
<img src="{{ $small.RelPermalink }}" srcset="{{ $small.RelPermalink }} 32w, {{ .RelPermalink }} 96w" sizes="32px" alt="A heron" width="{{ $small.Width }}">{{ end }}
{{ with .PrevInSection }}<a href="{{ .RelPermalink }}">Before</a>{{ end }}{{ with .NextInSection }}<a href="{{ .RelPermalink }}">After</a>{{ end }}{{ end }}`,
      'layouts/404.html': '{{ define "main" }}<h1>No such pond</h1><a href="/">Home</a>{{ end }}',
      'assets/css/main.css': 'body { background: url("/img/heron.png") no-repeat right top }\n',
      'assets/js/main.js': 'document.documentElement.dataset.script = location.pathname\n',
      'content/_index.md': '---\ntitle: Pond notes\n---\nWelcome.\n\n![A heron](/img/heron.png)\n',
      'content/about.md': '---\ntitle: About\n---\nBy the pond. [The first post](/posts/first/#later).\n',
      'content/posts/_index.md': '---\ntitle: Posts\n---\n',
      'content/posts/first.md': '---\ntitle: The first post\ndate: 2026-01-02\n---\nSee [the second]({{< relref "second" >}}).\n\n## Later\n\nMore.\n',
      'content/posts/second/index.md': '---\ntitle: The second post\ndate: 2026-02-03\n---\nWith pictures.\n',
      'content/posts/größe & maß.md': '---\ntitle: Größe & Maß\ndate: 2026-03-04\n---\nNames as people write them.\n',
    },
    ['static/img/heron.png', 'content/posts/second/heron.png'],
  )
  await run('hugo', ['--quiet', '--minify', '--cacheDir', join(dir, 'cache')], { cwd: dir })
  return join(dir, 'public')
}

/** A manual with a search, whose addresses are relative. `site` is what it builds. */
export async function mkdocs() {
  const dir = await sources(
    {
      // Its highlighter comes from the web, which no test may use.
      'mkdocs.yml': 'site_name: Heron manual\nsite_url: ""\ndocs_dir: text\ntheme:\n  name: mkdocs\n  highlightjs: false\nnav:\n  - Home: index.md\n  - Guide:\n    - Start: guide/start.md\n    - Deep: guide/deep/page.md\n  - About: about.md\n',
      'text/index.md': '# Herons\n\nRead the [guide](guide/start.md).\n\n![A heron](img/heron.png)\n',
      'text/about.md': '# About\n\n[Home](index.md)\n',
      'text/guide/start.md': '# Start\n\nGo [deeper](deep/page.md#wading).\n\n![A heron](../img/heron.png)\n',
      'text/guide/deep/page.md': '# Deep\n\n## Wading\n\nA rare word: xylophone.\n\n![A heron](../../img/heron.png)\n',
    },
    ['text/img/heron.png'],
  )
  await run('mkdocs', ['build', '--quiet', '--strict'], { cwd: dir })
  return join(dir, 'site')
}

/** An application of one page, which shows what the address says; built for the root of a host. */
export function app() {
  const page = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>App</title><link rel="icon" href="/assets/heron.png"><link rel="stylesheet" href="/assets/app-1a2b.css"><script type="module" src="/assets/app-3c4d.js"></script></head><body><div id="app"></div></body></html>'
  return sources(
    {
      'index.html': page,
      '200.html': page,
      'assets/app-1a2b.css': 'h1 { color: rgb(1, 2, 3) }\n',
      'assets/app-3c4d.js': `const later = () => import('/assets/later-5e6f.js')
async function show() {
  const { draw } = await later()
  document.getElementById('app').innerHTML = draw(location.pathname)
}
addEventListener('click', (event) => {
  const link = event.target.closest('a')
  if (!link) return
  event.preventDefault()
  history.pushState(null, '', link.getAttribute('href'))
  show()
})
addEventListener('popstate', show)
show()
`,
      'assets/later-5e6f.js': 'export const draw = (path) => `<h1>${path}</h1><nav><a href="/">Home</a> <a href="/notes/1">One</a> <a href="/notes/2">Two</a></nav><img src="/assets/heron.png" alt="A heron">`\n',
    },
    ['assets/heron.png'],
  )
}

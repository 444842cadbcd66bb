// Mock sites of the mock peers, for `npm run dev:mock`. The development server serves them under the same addresses as the viewer,
// so that the frame, its origins and its history behave the same.

import type { Plugin } from 'vite';
import type { Navigated } from '../src/api';

/** `/p/<peer>/<path>`; `?slow` delays the page. */
const SITE = /^\/p\/([1-9A-HJ-NP-Za-km-z]+)(\/[^?#]*)?(\?.*)?$/;
const SLOW_MS = 8000;

export function sites(): Plugin {
  return {
    name: 'goop2-mock-sites',
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const url = request.url ?? '/';
        const match = SITE.exec(url);
        if (!match) return next();
        const [, peer = '', path = '/', query = ''] = match;
        const status = path.includes('missing') ? 404 : 200;
        const report = (status: number | null): void => {
          const event: Navigated = { place: { peer, path: path + query }, status, title: null };
          if (request.headers['sec-fetch-dest'] === 'iframe') server.ws.send('goop2:navigated', event);
        };
        if (path === '/old.html') {
          report(302);
          response.writeHead(302, { Location: `/p/${peer}/autumn.html` }).end();
          return;
        }
        report(null);
        const answer = (): void => {
          report(status);
          response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' }).end(page(path, status));
        };
        setTimeout(answer, query.includes('slow') ? SLOW_MS : 0);
      });
    },
  };
}

function page(path: string, status: number): string {
  const body =
    status === 404
      ? '<h1>Page not found</h1><p><a href="./">Go to the first page</a></p>'
      : path === '/' || path === '/index.html'
        ? `<h1>Field notes</h1><p>This page comes straight from its owner’s computer. When the laptop closes, it goes offline.</p>
           <ul><li><a href="autumn.html">Autumn</a></li><li><a href="old.html">An address that moved</a></li><li><a href="missing.html">A missing page</a></li><li><a href="autumn.html?slow">A slow page</a></li></ul>`
        : `<h1>Autumn field notes</h1><p>The heron stood in the shallows again this morning, and did not mind being drawn.</p>
           <h3>Guestbook</h3><form><input name="text" placeholder="Say something" aria-label="Message"> <button>Sign</button></form><p>☘ Mira: “The heron picture!”</p><p><a href="./">Back to the first page</a></p>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Site</title>
<style>body{font:17px/1.6 Georgia,serif;max-width:38em;margin:48px auto;padding:0 24px;color:#222}a{color:#23694a}input,button{font:inherit}</style>${body}</html>`;
}

// A new page: what a beginner can read, and nothing more.

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** `style` is the address of the site's own style, if it has one. */
export function newPage(title: string, style: string | null): string {
  const lines = [
    '<!doctype html>',
    '<html>',
    '  <head>',
    '    <meta charset="utf-8">',
    '    <meta name="viewport" content="width=device-width">',
    `    <title>${escaped(title)}</title>`,
    ...(style === null ? [] : [`    <link rel="stylesheet" href="${style}">`]),
    '  </head>',
    '  <body>',
    '    <main>',
    `      <h1>${escaped(title)}</h1>`,
    '      <p>Write here.</p>',
    '    </main>',
    '  </body>',
    '</html>',
    '',
  ];
  return lines.join('\n');
}

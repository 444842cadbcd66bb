// CodeMirror, set up for the texts of a site: numbers of lines, colors, search, and what is wrong where.

import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { css } from '@codemirror/lang-css';
import { html } from '@codemirror/lang-html';
import { javascript } from '@codemirror/lang-javascript';
import { json, jsonParseLinter } from '@codemirror/lang-json';
import { markdown } from '@codemirror/lang-markdown';
import { HighlightStyle, bracketMatching, indentOnInput, syntaxHighlighting, syntaxTree } from '@codemirror/language';
import { lintGutter, lintKeymap, linter, type Diagnostic } from '@codemirror/lint';
import { highlightSelectionMatches, openSearchPanel, search, searchKeymap } from '@codemirror/search';
import { EditorState, StateEffect, StateField, type Extension } from '@codemirror/state';
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';

export interface Mark {
  readonly line: number;
  readonly message: string;
}

export interface Editor {
  find(): void;
  goTo(line: number): void;
  focus(): void;
  setText(text: string): void;
  setMarks(marks: readonly Mark[]): void;
  close(): void;
}

/** Errors of grammar that are shown at once: the first ones cause the others. */
const MOST_ERRORS = 20;

export function editor(parent: HTMLElement, text: string, path: string, onchange: (text: string) => void): Editor {
  const view = new EditorView({ parent, state: EditorState.create({ doc: text, extensions: extensions(path, onchange) }) });
  return {
    find: () => void openSearchPanel(view),
    focus: () => view.focus(),
    goTo: (line) => {
      const { from } = view.state.doc.line(Math.max(1, Math.min(line, view.state.doc.lines)));
      view.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: 'center' }) });
      view.focus();
    },
    setText: (now) => {
      if (now !== view.state.doc.toString()) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: now } });
    },
    setMarks: (marks) => view.dispatch({ effects: setMarks.of(marks) }),
    close: () => view.destroy(),
  };
}

const extensions = (path: string, onchange: (text: string) => void): Extension => [
  lineNumbers(),
  highlightActiveLineGutter(),
  highlightActiveLine(),
  history(),
  drawSelection(),
  indentOnInput(),
  bracketMatching(),
  highlightSelectionMatches(),
  search({ top: true }),
  marked,
  linter(problems, { needsRefresh: ({ startState, state }) => startState.field(marked) !== state.field(marked) }),
  lintGutter(),
  // Tab leaves the text, as it does everywhere; Ctrl+] and Ctrl+[ indent.
  keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, ...lintKeymap]),
  EditorView.lineWrapping,
  EditorView.contentAttributes.of({ 'aria-label': `Text of ${path}`, spellcheck: 'false', tabindex: '0' }),
  EditorView.updateListener.of((update) => update.docChanged && onchange(update.state.doc.toString())),
  language(path),
  syntaxHighlighting(COLORS),
  THEME,
];

function language(path: string): Extension {
  const type = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  if (['html', 'htm', 'svg', 'xml'].includes(type)) return html();
  if (type === 'css') return css();
  if (['js', 'mjs'].includes(type)) return javascript();
  if (['json', 'webmanifest'].includes(type)) return json();
  return type === 'md' ? markdown() : [];
}

const setMarks = StateEffect.define<readonly Mark[]>();

const marked = StateField.define<readonly Mark[]>({
  create: () => [],
  update: (marks, transaction) => transaction.effects.find((effect) => effect.is(setMarks))?.value ?? marks,
});

/** What the peer found, and what the grammar does not know. */
function problems(view: EditorView): Diagnostic[] {
  const { doc } = view.state;
  const found = view.state.field(marked).flatMap(({ line, message }): Diagnostic[] => {
    if (line < 1 || line > doc.lines) return [];
    const { from, to } = doc.line(line);
    return [{ from, to, severity: 'warning', message }];
  });
  return [...found, ...grammar(view)];
}

function grammar(view: EditorView): Diagnostic[] {
  const tree = syntaxTree(view.state);
  if (tree.type.name === 'JsonText') return jsonParseLinter()(view);
  const { doc } = view.state;
  const found: Diagnostic[] = [];
  tree.iterate({
    enter: ({ type, from, to }) => {
      if (!type.isError || found.length >= MOST_ERRORS) return;
      const line = doc.lineAt(from);
      found.push({ from: from === to ? line.from : from, to: from === to ? line.to : to, severity: 'error', message: `Something is missing or wrong in line ${line.number}.` });
    },
  });
  return found;
}

/** Each color is one of the window's, and where it matters, more than the color says it. */
const COLORS = HighlightStyle.define([
  { tag: [tags.comment, tags.meta, tags.documentMeta, tags.processingInstruction], color: 'var(--muted)', fontStyle: 'italic' },
  { tag: [tags.tagName, tags.keyword, tags.heading, tags.propertyName], color: 'var(--accent)' },
  { tag: [tags.heading], fontWeight: '600' },
  { tag: [tags.string, tags.attributeValue, tags.url], color: 'var(--warn)' },
  { tag: [tags.number, tags.bool, tags.null, tags.unit, tags.color], color: 'var(--danger)' },
  { tag: [tags.angleBracket, tags.punctuation], color: 'var(--muted)' },
  { tag: [tags.strong], fontWeight: '700' },
  { tag: [tags.emphasis], fontStyle: 'italic' },
]);

const THEME = EditorView.theme({
  '&': { flex: '1', minHeight: '0', fontSize: '13px' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--bg)', color: 'var(--muted)', borderRight: '1px solid var(--line)' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in oklab, var(--bg), transparent 30%)' },
  '.cm-selectionBackground, &.cm-focused .cm-selectionBackground': { background: 'var(--accent-soft) !important' },
  '.cm-selectionMatch, .cm-searchMatch': { backgroundColor: 'var(--warn-soft)' },
  '.cm-searchMatch-selected': { outline: '1px solid var(--warn)' },
  '.cm-matchingBracket, .cm-nonmatchingBracket': { backgroundColor: 'var(--hover)', outline: 'none' },
  '.cm-panels': { backgroundColor: 'var(--bg)', color: 'var(--text)', borderColor: 'var(--line)' },
  '.cm-panel.cm-search': { fontFamily: 'var(--font)', padding: '6px 30px 6px 10px' },
  '.cm-panel.cm-search label': { fontSize: '12px' },
  '.cm-textfield': { backgroundColor: 'var(--panel)', border: '1px solid var(--edge)', borderRadius: '6px', padding: '3px 8px', fontSize: '13px' },
  '.cm-button': { backgroundImage: 'none', backgroundColor: 'var(--panel)', border: '1px solid var(--edge)', borderRadius: '6px', padding: '3px 10px', fontSize: '13px' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', color: 'var(--text)', border: '1px solid var(--line)' },
});

// Starters of the mock peer: made up, each with a picture.

import type { Starter } from '..';

const picture = (...parts: string[]): string => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 200">${parts.join('')}</svg>`;
const ground = (from: string, to: string): string => `<defs><linearGradient id="g" x2="0" y2="1"><stop stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient></defs><rect width="320" height="200" fill="url(#g)"/>`;
const lines = (x: number, y: number, widths: readonly number[], color = '#3b3a36'): string => widths.map((width, i) => `<rect x="${x}" y="${y + i * 16}" width="${width}" height="6" rx="3" fill="${color}" opacity="${i === 0 ? 0.85 : 0.35}"/>`).join('');
const photo = (x: number, y: number, color: string): string => `<rect x="${x}" y="${y}" width="80" height="58" rx="5" fill="${color}"/>`;

export const STARTERS: Starter[] = [
  { id: 'journal', title: 'Journal', description: 'Posts you write here, newest first, with a guestbook.', preview: picture(ground('#f3e2bf', '#ccd9bd'), lines(60, 44, [120, 200, 180, 196]), lines(60, 124, [90, 190, 150])), tables: ['posts', 'guestbook'] },
  { id: 'album', title: 'Photo album', description: 'Drop pictures in. Captions and a slideshow come along.', preview: picture(ground('#dfe9ea', '#f0e6da'), ...['#7fb2b8', '#c9b98a', '#8fa783', '#b58d7d', '#88a0bf', '#caa9bb'].map((color, i) => photo(32 + (i % 3) * 90, 34 + Math.floor(i / 3) * 70, color))), tables: ['captions'] },
  { id: 'guestbook', title: 'Guestbook', description: 'Visitors sign, and you answer.', preview: picture(ground('#e6e3f6', '#f4eef7'), lines(50, 46, [140]), lines(70, 84, [180, 150]), lines(70, 134, [170, 120])), tables: ['guestbook'] },
  { id: 'links', title: 'Link page', description: 'Who you are and where to find you.', preview: picture(ground('#dbe7f4', '#e9eef4'), '<circle cx="160" cy="54" r="24" fill="#5b7fa8"/>', ...[92, 122, 152].map((y) => `<rect x="90" y="${y}" width="140" height="22" rx="11" fill="#fff"/>`)), tables: [] },
  { id: 'survey', title: 'Survey', description: 'Ask your visitors. The answers arrive in a table only you can read.', preview: picture(ground('#f6e1db', '#f7ece7'), lines(60, 44, [170]), ...[80, 110, 140].map((y, i) => `<circle cx="70" cy="${y}" r="7" fill="${i === 1 ? '#a4503c' : '#fff'}"/>${lines(88, y - 3, [130 - i * 20])}`)), tables: ['answers'] },
  { id: 'event', title: 'Event', description: 'What, when and where, and who’s coming.', preview: picture(ground('#e3eedd', '#f3efdd'), lines(60, 50, [150, 110]), '<rect x="60" y="104" width="200" height="52" rx="8" fill="#fff"/>'), tables: ['guests'] },
  { id: 'empty', title: 'Empty page', description: 'One index.html with comments for beginners.', preview: picture(ground('#eeece6', '#f6f5f2'), lines(60, 60, [110, 190, 170], '#8d887d')), tables: [] },
];

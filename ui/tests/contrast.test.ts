// Reads the tokens as they are and holds every text to WCAG AA on every ground it stands on, in both themes.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('../src/styles/tokens.css', import.meta.url), 'utf8');
const AA = 4.5;
/** What only has to be found: the edge of a field, a switch. */
const FOUND = 3;

const PAIRS: readonly (readonly [ink: string, grounds: readonly string[]])[] = [
  ['text', ['bg', 'panel', 'sunken', 'hover', 'warn-soft']],
  ['muted', ['bg', 'panel', 'sunken', 'hover']],
  ['accent', ['bg', 'panel', 'sunken', 'accent-soft', 'hover']],
  ['accent-ink', ['accent']],
  ['warn', ['panel', 'sunken', 'bg', 'warn-soft']],
  ['danger', ['panel', 'sunken', 'bg', 'danger-soft']],
  ['avatar-ink', ['avatar-off', ...Array.from({ length: 12 }, (_, i) => `avatar-${i}`)]],
];

const EDGES: typeof PAIRS = [
  ['edge', ['bg', 'panel']],
  ['track', ['bg', 'panel', 'knob']],
  ['accent', ['bg', 'panel', 'accent-ink']],
];

describe.each(['light', 'dark'] as const)('in the %s theme', (theme) => {
  for (const [ink, grounds] of PAIRS) {
    it.each(grounds)(`${ink} is readable on %s`, (ground) => {
      expect(contrast(color(ink, theme), color(ground, theme))).toBeGreaterThanOrEqual(AA);
    });
  }
  for (const [edge, grounds] of EDGES) {
    it.each(grounds)(`${edge} is found on %s`, (ground) => {
      expect(contrast(color(edge, theme), color(ground, theme))).toBeGreaterThanOrEqual(FOUND);
    });
  }
});

function color(token: string, theme: 'light' | 'dark'): string {
  const value = new RegExp(`--${token}: (?:light-dark\\((#\\w{6}), (#\\w{6})\\)|(#\\w{6}));`).exec(css);
  const found = value?.[3] ?? value?.[theme === 'light' ? 1 : 2];
  if (!found) throw new Error(`tokens.css has no color --${token}`);
  return found;
}

function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const channel = parseInt(hex.slice(i, i + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { sites } from './mock/sites.ts';

// The newest things used are light-dark() and content-visibility; every webview Tauri runs on has had them since 2024.
const browsers = ['chrome123', 'safari17.5', 'firefox125'];

export default defineConfig(({ mode }) => ({
  plugins: [svelte(), ...(mode === 'mock' ? [sites()] : [])],
  build: {
    target: browsers,
    cssTarget: browsers,
    // Not `assets`: the viewer serves the site SDK under that name.
    assetsDir: 'app',
    // No inlined data and no inline script, so that the strictest content policy fits.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { host: '127.0.0.1', port: 5180 },
  preview: { host: '127.0.0.1' },
  test: { include: ['tests/**/*.test.ts'] },
}));

import { mount } from 'svelte';
import type { Api } from './api';
import { http } from './api/http';
import { inTauri, tauri } from './api/tauri';
import App from './App.svelte';
import './styles/base.css';

async function connect(): Promise<Api> {
  if (import.meta.env.MODE === 'mock') return (await import('./api/mock')).mock();
  return inTauri() ? tauri() : http();
}

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
mount(App, { target, props: { api: await connect() } });

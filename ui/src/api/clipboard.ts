import { Refusal } from './index';

/** Copies with the clipboard API, or with `execCommand` where a webview has none. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copySelection(text)) {
      throw new Refusal({ code: 'clipboard', message: 'Goop2 couldn’t use the clipboard. Select the text and copy it yourself.' });
    }
  }
}

function copySelection(text: string): boolean {
  const focused = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return copied;
}

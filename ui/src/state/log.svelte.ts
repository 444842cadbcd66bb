// The log while its page is open: polled, for new lines only.

import type { Api, LogLevel, LogLine, Stop } from '../api';
import { fold } from '../lib/names';

/** As fast as one can read. */
const ASK_MS = 700;
/** As many as the peer keeps. */
const MAX_LINES = 2000;

/** From the most severe to the most verbose. */
export const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const satisfies readonly LogLevel[];

export class Log {
  lines = $state.raw<readonly LogLine[]>([]);
  level = $state<LogLevel>('info');
  text = $state('');
  readonly shown = $derived(filtered(this.lines, this.level, this.text));
  #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  start(): Stop {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const ask = async (): Promise<void> => {
      const next = (this.lines.at(-1)?.seq ?? -1) + 1;
      const lines = await this.#api.logs(next).catch(() => null);
      if (stopped) return;
      if (lines && lines.length > 0) this.lines = [...this.lines, ...lines].slice(-MAX_LINES);
      timer = setTimeout(() => void ask(), ASK_MS);
    };
    void ask();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }
}

/** Lines at least this severe that contain every word. */
export function filtered(lines: readonly LogLine[], level: LogLevel, text: string): readonly LogLine[] {
  const most = LEVELS.indexOf(level);
  const words = fold(text).split(/\s+/).filter(Boolean);
  return lines.filter((line) => {
    if (LEVELS.indexOf(line.level) > most) return false;
    const hay = words.length > 0 ? fold(`${line.target} ${line.text}`) : '';
    return words.every((word) => hay.includes(word));
  });
}

/** As in a file: "2026-11-25 20:19:50.123 INFO goop2_viewer: viewer is listening". */
export const lineText = ({ at, level, target, text }: LogLine): string => `${new Date(at).toISOString().replace('T', ' ').replace('Z', '')} ${level.toUpperCase().padEnd(5)} ${target}: ${text}`;

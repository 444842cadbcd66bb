import { expect, test } from 'vitest';
import { EventParser } from '../src/api/event-stream';

const TEXT = ':ping\n\nevent: snapshot\ndata: {"a":"é"}\n\nevent:denied\r\ndata:1\r\ndata: 2\r\n\r\nevent: empty\n\ndata\n\ndata: last';

function read(pieces: string[]): [string, string][] {
  const events: [string, string][] = [];
  const parser = new EventParser((name, data) => events.push([name, data]));
  for (const piece of pieces) parser.push(piece);
  return events;
}

test('events come whole, however they are cut', () => {
  const events = [
    ['snapshot', '{"a":"é"}'],
    ['denied', '1\n2'],
    ['message', ''],
  ];
  expect(read([TEXT])).toEqual(events);
  expect(read([...TEXT])).toEqual(events);
  for (let at = 0; at < TEXT.length; at++) expect(read([TEXT.slice(0, at), TEXT.slice(at)])).toEqual(events);
});

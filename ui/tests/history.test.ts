import { describe, expect, it } from 'vitest';
import { canGo, current, go, start, reported, visit, type History } from '../src/state/history';

const at = (path: string, peer = 'anna') => ({ peer, path });
const paths = (history: History) => history.entries.map((entry) => entry && entry.path);

const abc = [at('/a'), at('/b'), at('/c')].reduce(visit, start);

describe('what the user does', () => {
  it('starts at the welcome page with nowhere to go', () => {
    expect(current(start)).toBeNull();
    expect([canGo(start, -1), canGo(start, 1)]).toEqual([false, false]);
    expect(go(start, -1)).toBe(start);
  });

  it('goes back and forward, and a new place drops the forward entries', () => {
    const back = go(go(abc, -1), -1);
    expect(current(back)).toEqual(at('/a'));
    expect(current(go(back, 1))).toEqual(at('/b'));
    const other = visit(back, at('/d'));
    expect(paths(other)).toEqual([null, '/a', '/d']);
    expect(canGo(other, 1)).toBe(false);
  });

  it('forgets the oldest entries first', () => {
    let history = start;
    for (let i = 0; i < 1000; i++) history = visit(history, at(`/${i}`));
    expect(history.entries.length).toBe(200);
    expect(current(history)).toEqual(at('/999'));
  });
});

describe('what the frame did', () => {
  it('adds an entry when it is a new place', () => {
    const history = reported(visit(start, at('/a')), at('/b'), 200);
    expect(paths(history)).toEqual([null, '/a', '/b']);
    expect(current(history)).toEqual(at('/b'));
  });

  it('adds nothing when we sent it there, however often it is reported', () => {
    const history = reported(reported(visit(start, at('/a#part')), at('/a'), null), at('/a'), 200);
    expect(paths(history)).toEqual([null, '/a#part']);
  });

  it('is a step back or forward when it is a neighboring entry', () => {
    const back = reported(abc, at('/b'), 200);
    expect([paths(back).length, back.index]).toEqual([4, 2]);
    expect(reported(back, at('/c'), 200).index).toBe(3);
  });

  it('replaces the entry of the page that redirected to it', () => {
    const history = reported(reported(reported(visit(start, at('/old')), at('/old'), 302), at('/new'), null), at('/new'), 200);
    expect(paths(history)).toEqual([null, '/new']);
    expect(paths(reported(history, at('/next'), 200))).toEqual([null, '/new', '/next']);
  });

  it('is not redirected by a 304 answer', () => {
    const history = reported(reported(visit(start, at('/a')), at('/a'), 304), at('/b'), 200);
    expect(paths(history)).toEqual([null, '/a', '/b']);
  });

  it('keeps the welcome page reachable', () => {
    const history = reported(visit(start, at('/a')), at('/', 'bo'), 200);
    expect(current(go(go(history, -1), -1))).toBeNull();
  });
});

/** Who counts as alive: a shard of a dead process is free at once, whatever the system still shows of it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endOwner, isOwnerAlive, nameOwner } from '../../src/load/session/owner.ts';

const now = (): string => new Date().toISOString();

/** State and start of a process, as Linux tells them. */
function readStat(pid: string): { readonly state: string; readonly start: string } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return { state: fields[0] ?? '', start: fields[19] ?? '' };
}

test('a session is alive until it ends', () => {
  const owner = nameOwner();
  assert.equal(isOwnerAlive(owner, now(), Date.now()), true);
  endOwner(owner);
  assert.equal(isOwnerAlive(owner, now(), Date.now()), false);
});

const hasProc = existsSync('/proc/self/stat');
test(
  'a process that was killed and that nobody has asked for yet is dead',
  { skip: hasProc ? false : 'the system has no /proc to tell such processes by' },
  async () => {
    // The shell becomes a sleep, which never asks for its child.
    const parent = spawn('sh', ['-c', 'sh -c "sleep 0.3" & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = once(parent, 'exit');
    try {
      const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string];
      const pid = line.trim();
      const { start } = readStat(pid);
      for (let tries = 0; readStat(pid).state !== 'Z' && tries < 500; tries++) await sleep(10);
      assert.equal(readStat(pid).state, 'Z');
      assert.equal(isOwnerAlive(`${hostname()}/${pid}/${start}/0-abcd`, now(), Date.now()), false);
    } finally {
      parent.kill('SIGKILL');
      await ended;
    }
  },
);

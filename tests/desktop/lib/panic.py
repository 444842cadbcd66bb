#!/usr/bin/env python3
"""Lets a function of a running program panic each time it is called, as a mistake in it would: panic.py PID FUNCTION.

Prints "done", and when its input ends puts back what was there. The program needs its symbols, and no more: it has no way to be
broken on purpose. Written for x86-64.
"""

import platform
import struct
import subprocess
import sys

# Never called while the peer runs, so that something can lie there meanwhile.
IDLE = "goop2_peer::presence::Task::new"
PANIC = "core::option::unwrap_failed"

pid, function = int(sys.argv[1]), sys.argv[2]
if platform.machine() != "x86_64":
    sys.exit(f"no code to panic with on {platform.machine()}")
program = f"/proc/{pid}/exe"

symbols = subprocess.run(["nm", "--demangle", program], check=True, capture_output=True, text=True).stdout
places = {name: int(place, 16) for place, _, name in (line.split(" ", 2) for line in symbols.splitlines() if line[:1] != " ")}
with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
    base = int(next(maps).split("-")[0], 16)
at, idle, panic = (base + places[name] for name in (function, IDLE, PANIC))

# Where it panicked, as `core::panic::Location` has it: a file's name, a line, a column.
name = b"a test\0"
location = struct.pack("<QQII", idle + 24, len(name) - 1, 1, 1) + name
# mov rdi, location; mov rax, panic; jmp rax
code = b"\x48\xbf" + struct.pack("<Q", idle) + b"\x48\xb8" + struct.pack("<Q", panic) + b"\xff\xe0"

with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:

    def write(place, new):
        memory.seek(place)
        old = memory.read(len(new))
        memory.seek(place)
        memory.write(new)
        return place, old

    whole = [write(idle, location), write(at, code)]
    print("done", flush=True)
    sys.stdin.read()
    for place, old in whole:
        write(place, old)

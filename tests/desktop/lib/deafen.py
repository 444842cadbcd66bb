#!/usr/bin/env python3
"""Makes a socket on which another process listens listen no more, as nothing that process does could: deafen.py PID PORT.

This is how the tests take a running part of the program away from it.
"""

import ctypes
import errno
import os
import socket
import stat
import sys

SYS_PIDFD_GETFD = 438

pid, port = int(sys.argv[1]), int(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
process = os.pidfd_open(pid)
deafened = 0
for number in os.listdir(f"/proc/{pid}/fd"):
    handle = libc.syscall(SYS_PIDFD_GETFD, process, int(number), 0)
    if handle < 0 and ctypes.get_errno() == errno.EBADF:
        continue  # closed since it was listed
    if handle < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    if not stat.S_ISSOCK(os.fstat(handle).st_mode):
        os.close(handle)
        continue
    with socket.socket(fileno=handle) as copy:
        internet = copy.family in (socket.AF_INET, socket.AF_INET6) and copy.type == socket.SOCK_STREAM
        if internet and copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and copy.getsockname()[1] == port:
            copy.shutdown(socket.SHUT_RDWR)
            deafened += 1
sys.exit(0 if deafened else f"{pid} does not listen on {port}")

"""`spawn.py FD CORE COMMAND...`: runs a command and tells on a file descriptor, as JSON, what it took.

A process begins with the peak memory of the one that starts it, as Linux counts. Started from here, where little is
imported, the peak is the command's own, however large the process that measures has become. `benchmarks.process`
starts this.
"""

import json
import os
import sys
import time

report, core, *command = sys.argv[1:]
if core:
    os.sched_setaffinity(0, {int(core)})
before = time.perf_counter()
pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_CLOSE, int(report))])
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - before
code = os.waitstatus_to_exitcode(status)
os.write(
    int(report), json.dumps([code, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]).encode()
)

"""Secrets of the host and of earlier code: environment, command lines, memory, descriptors."""

from __future__ import annotations

from tests.attacks.attack import Attack, attempt, nuisance

# The marker is put together when the code runs: neither piece's text holds it whole.
# A function keeps the variables it can see, itself among them, until they are collected.
_KEEP = """
def function(): pass
kept = [('SECRET' + '-OF-EARLIER-CODE-' + str(number)) for number in range(1000)]
print(kept[:9])
"""
_OBJECTS = """
import gc
marker = "SECRET" + "-OF-EARLIER" + "-CODE"  # what is looked for has one more "-": this one does not count
def holds(thing):
    try:
        return isinstance(thing, (list, tuple, dict, set)) and marker + "-" in str(thing)
    except BaseException:
        return False
print("BREACH" if any(holds(thing) for thing in gc.get_objects()) else "held")
"""
_MEMORY = """
# Writing to a pipe from an address that is not there fails, and does not crash.
import ctypes, os
libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
reader, writer = os.pipe()
os.set_blocking(reader, False)
chunk, marker, found = 1 << 16, b"SECRET" + b"-OF-EARLIER" + b"-CODE", 0
top = libc.sbrk(0)
here = id(object()) & -chunk
for start, end in ((top - (64 << 20), top), (here - (32 << 20), here + (32 << 20))):
    for address in range(start & -chunk, end, chunk):
        if libc.write(writer, ctypes.c_void_p(address), chunk) > 0:
            found += os.read(reader, chunk).count(marker)
print("BREACH" if found > 9 else "held", found)
"""

ATTACKS = {
    "read the environment": Attack("import os\nprint(dict(os.environ))"),
    "read the C library's environment": Attack(
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.getenv.restype = ctypes.c_char_p\nprint(libc.getenv(b'API_KEY'))"
    ),
    "read the environment's array": Attack(
        """
import ctypes
entry = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
number = 0
while entry and entry[number]:
    print(entry[number])
    number += 1
"""
    ),
    "read the own environment file": Attack(
        "try: print(open('/proc/self/environ').read())\nexcept OSError as error: print('held', error)"
    ),
    "read the host's environment file": Attack(
        "try: print(open('/proc/@HOST@/environ').read())\nexcept OSError as error: print('held', error)"
    ),
    "read the parent's environment file": Attack(
        "import os\ntry: print(open(f'/proc/{os.getppid()}/environ').read())\nexcept OSError as error: print('held', error)"
    ),
    "see the host's command line": attempt("assert open('/proc/@HOST@/cmdline').read()"),
    "see the host's status": attempt("assert open('/proc/@HOST@/status').read()"),
    "read the host's memory": attempt("open('/proc/@HOST@/mem', 'rb').close()", needs="a control that may trace"),
    "list the processes": attempt("import os\nassert [name for name in os.listdir('/proc') if name.isdigit()]"),
    "map the own memory": attempt("assert open('/proc/self/maps').read()"),
    "see the own descriptors": attempt("import os\nassert os.listdir('/proc/self/fd')"),
    "use descriptors of the host": Attack(
        """
import fcntl
count = 0
for descriptor in range(1024):
    try:
        fcntl.fcntl(descriptor, fcntl.F_GETFD)
        count += 1
    except OSError:
        pass
print("BREACH" if count > 4 else "held", count)
"""
    ),
    "see the host's name": attempt(
        "import os\nassert os.uname().nodename == '@NODE@'",
        excused={"host": "printed"},  # only a namespace can hide it
    ),
    "see the host's group of processes": attempt("import os\nos.getpgid(@HOST@)"),
    "see the parent's session": attempt("import os\nos.getsid(os.getppid())"),
    "see the host's processors": attempt("import os\nos.sched_getaffinity(@HOST@)"),
    "see the host's CPU time": attempt("import time\ntime.clock_gettime(~@HOST@ << 3 | 2)"),
    "see the parent's CPU time": attempt("import os, time\ntime.clock_gettime(~os.getppid() << 3 | 2)"),
    "count the machine's processes": attempt(
        """
        import ctypes
        assert ctypes.CDLL(None).sysinfo(ctypes.create_string_buffer(256)) == 0
        """
    ),
    "see the load of the machine": attempt("import os\nos.getloadavg()"),
    "follow a link": attempt("import os\nos.readlink('/proc/self/exe')"),
    "read the user's name": attempt("import pwd, os\npwd.getpwuid(0)"),
    "find objects of earlier code": nuisance(_OBJECTS, before=_KEEP),
    "find memory of earlier code": nuisance(_MEMORY, before=_KEEP),
    "find variables of earlier code": nuisance(
        "import fractions\nprint('BREACH' if hasattr(fractions, 'left_here') else 'held')",
        before="import fractions\nfractions.left_here = 1",
    ),
}

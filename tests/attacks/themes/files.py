"""Reading and changing files."""

from __future__ import annotations

from tests.attacks.attack import attempt

_ROOT = "a control that runs as root"
_XATTR = "a file system with extended attributes"

_READ = {
    "read /etc/passwd": attempt("assert 'root' in open('/etc/passwd').read()"),
    "read /etc/hostname": attempt("open('/etc/hostname').read()"),
    "read by way of a library's folder": attempt("open('/usr/lib/../../etc/passwd').read()"),
    "read by way of a descriptor of a folder": attempt(
        "import os\nos.open('etc/passwd', os.O_RDONLY, dir_fd=os.open('/', os.O_PATH))"
    ),
    "read by way of /proc/self/root": attempt("open('/proc/self/root/etc/passwd').read()"),
    "read past Python": attempt(
        "import ctypes\nassert ctypes.CDLL(None).open(b'/etc/passwd', 0) >= 0",
    ),
    "read with a number library": attempt("import numpy\nassert len(numpy.fromfile('/etc/passwd', dtype='u1'))"),
    "read a file of the user's": attempt("print(open('@HOME@/canary').read())"),
    "list a folder of the user's": attempt("import os\nassert 'canary' in os.listdir('@HOME@')"),
    "list /etc": attempt("import os\nassert os.listdir('/etc')"),
    "list /home": attempt("import os\nos.listdir('/home')"),
    "list root's home folder": attempt("import os\nassert os.listdir('/root')", needs=_ROOT),
    "read the project's own source": attempt("assert open('@SOURCE@').read()"),
    "see that a file of the user's exists": attempt(
        "import os\nos.stat('@HOME@/canary')",
        excused={"stat": "printed"},  # Landlock has no right for it
    ),
    "read the kernel's messages": attempt("import os\nos.open('/dev/kmsg', os.O_RDONLY)", needs=_ROOT),
    "read the kernel's symbols": attempt("open('/proc/kallsyms').read(1)"),
    "read the mounts": attempt("assert open('/proc/mounts').read()"),
    "read a kernel setting": attempt("open('/sys/kernel/mm/transparent_hugepage/enabled').read()"),
    "list the network devices": attempt("import os\nassert os.listdir('/sys/class/net')"),
}

_CHANGE = {
    "write a file": attempt("open('@HOME@/@MARK@', 'w').write('x')"),
    "overwrite a file": attempt("open('@HOME@/canary', 'w').write('x')"),
    "append to a file": attempt("open('@HOME@/canary', 'a').write('x')"),
    "open a file for reading and writing": attempt("open('@HOME@/canary', 'r+').close()"),
    "truncate by opening for reading": attempt("import os\nos.open('@HOME@/canary', os.O_RDONLY | os.O_TRUNC)"),
    "truncate by name": attempt("import os\nos.truncate('@HOME@/canary', 0)"),
    "delete a file": attempt("import os\nos.unlink('@HOME@/canary')"),
    "rename a file": attempt("import os\nos.rename('@HOME@/canary', '@HOME@/@MARK@')"),
    "change a file's mode": attempt("import os\nos.chmod('@HOME@/canary', 0o600)"),
    "change a file's times": attempt("import os\nos.utime('@HOME@/canary', (0, 0))"),
    "change a file's owner": attempt("import os\nos.chown('@HOME@/canary', os.getuid(), os.getgid())"),
    "change a file's attributes": attempt("import os\nos.setxattr('@HOME@/canary', 'user.x', b'1')", needs=_XATTR),
    "make a hard link": attempt("import os\nos.link('@HOME@/canary', '@HOME@/@MARK@')"),
    "make a symbolic link": attempt("import os\nos.symlink('/etc', '@HOME@/@MARK@')"),
    "make a folder": attempt("import os\nos.mkdir('@HOME@/@MARK@')"),
    "make a named pipe": attempt("import os\nos.mkfifo('@HOME@/@MARK@')"),
    "make a device": attempt("import os\nos.mknod('@HOME@/@MARK@', 0o020600, os.makedev(1, 3))", needs=_ROOT),
    "make a file without a name": attempt("import os\nos.open('@HOME@', os.O_TMPFILE | os.O_RDWR)"),
    "make a temporary file": attempt("import tempfile\ntempfile.TemporaryFile()"),
    "write in /tmp": attempt("open('/tmp/@MARK@', 'w').write('x')"),
    "write in /var/tmp": attempt("open('/var/tmp/@MARK@', 'w').write('x')"),
    "write in /dev/shm": attempt("open('/dev/shm/@MARK@', 'w').write('x')"),
    "write in the working folder": attempt(
        "open('@MARK@', 'w').write('x')", needs="a working folder that is the user's own"
    ),
    "write in the root folder": attempt("open('/@MARK@', 'w').write('x')", needs=_ROOT),
    "write beside the installed packages": attempt(
        """
        import os, sysconfig
        path = os.path.join(sysconfig.get_paths()["purelib"], "@MARK@")
        open(path, "w").close()
        os.unlink(path)
        """,
        needs="packages that are the user's own",
    ),
    "lock a file": attempt("import fcntl\nfcntl.flock(open('@HOME@/canary'), fcntl.LOCK_EX | fcntl.LOCK_NB)"),
    "change the working folder": attempt("import os\nos.chdir('@HOME@')"),
    "change the root folder": attempt("import os\nos.chroot('@HOME@')", needs=_ROOT),
    "change the mask of modes": attempt("import os\nos.umask(0)"),
}

ATTACKS = _READ | _CHANGE

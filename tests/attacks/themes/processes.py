"""Starting processes, threads and programs, and reaching other processes. Bombs are bounded."""

from __future__ import annotations

from tests.attacks.attack import attempt

_START = {
    "fork": attempt("import os\nos.fork() or os._exit(0)"),
    "fork past Python": attempt("import ctypes, os\nassert ctypes.CDLL(None).fork() >= 0 or os._exit(0)"),
    "bomb of forks": attempt(
        """
        import os, time
        for _ in range(20):
            if os.fork() == 0:
                os.closerange(0, 3)
                time.sleep(60)
                os._exit(0)
        """
    ),
    "leave a process behind": attempt(
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 3)
                time.sleep(60)
            os._exit(0)
        """
    ),
    "run a program": attempt("import subprocess\nassert subprocess.check_output(['/bin/echo', 'x'])"),
    "run a shell": attempt("import os\nassert os.system('true') == 0"),
    "read from a shell": attempt("import os\nassert os.popen('echo x').read()"),
    "spawn a program": attempt("import os\nos.posix_spawn('/bin/true', ['true'], {})"),
    "become another program": attempt("import os\nos.execv('/bin/echo', ['echo', 'BREACH'])"),
    "become a program of its own making": attempt(
        """
        import os
        file = os.memfd_create("program")
        os.write(file, open("/bin/true", "rb").read())
        os.execve(file, ["BREACH"], {}) if os.fork() == 0 else None
        """
    ),
    "start a thread": attempt("import threading\nthreading.Thread(target=print).start()"),
    "bomb of threads": attempt(
        "import threading, time\nfor _ in range(50): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    ),
    "start a pool of processes": attempt("import multiprocessing\nmultiprocessing.Pool(1).close()"),
    "start a pool of threads": attempt(
        "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(1).submit(print).result()"
    ),
}

_REACH = {
    "kill another process": attempt("import os\nos.kill(@VICTIM@, 9)"),
    "stop another process": attempt("import os\nos.kill(@VICTIM@, 19)"),
    "signal the host": attempt("import os\nos.kill(@HOST@, 0)"),
    "signal the parent": attempt("import os\nos.kill(os.getppid(), 0)"),
    "signal everybody": attempt("import os\nos.kill(-1, 0)"),
    "signal the own group": attempt("import os\nos.killpg(os.getpgrp(), 0)"),
    "signal itself": attempt("import os\nos.kill(os.getpid(), 18)"),
    "signal by a descriptor": attempt("import os, signal\nsignal.pidfd_send_signal(os.pidfd_open(@VICTIM@), 9)"),
    "signal with a value": attempt("import ctypes\nassert ctypes.CDLL(None).sigqueue(@VICTIM@, 9, 0) == 0"),
    "signal by owning a descriptor": attempt(
        "import fcntl, os\nfcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, @VICTIM@)",
    ),
    "choose the signal of a descriptor": attempt("import fcntl, os\nfcntl.fcntl(os.pipe()[0], 10, 9)"),
    "read another's limits": attempt("import resource\nresource.prlimit(@VICTIM@, resource.RLIMIT_CPU)"),
    "change another's limits": attempt("import resource\nresource.prlimit(@VICTIM@, resource.RLIMIT_CPU, (99, 99))"),
    "change the host's limits": attempt("import resource\nresource.prlimit(@HOST@, resource.RLIMIT_CORE)"),
    "change another's priority": attempt("import os\nos.setpriority(os.PRIO_PROCESS, @VICTIM@, 19)"),
    "change another's processors": attempt(
        "import os\nos.sched_setaffinity(@VICTIM@, {min(os.sched_getaffinity(@VICTIM@))})"
    ),
    "change another's scheduling": attempt("import os\nos.sched_setscheduler(@VICTIM@, 3, os.sched_param(0))"),
    "read another's memory": attempt(
        """
        start = int(open("/proc/@VICTIM@/maps").readline().split("-")[0], 16)
        memory = open("/proc/@VICTIM@/mem", "rb", buffering=0)
        memory.seek(start)
        assert memory.read(8)
        """,
        needs="a control that may trace",
    ),
    "trace another process": attempt(
        "import ctypes\nassert ctypes.CDLL(None).ptrace(0x4206, @VICTIM@, 0, 0) == 0", needs="a control that may trace"
    ),
    "be traced": attempt("import ctypes\nassert ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0"),
    "wait for another's child": attempt(
        "import os\ntry: os.waitpid(-1, os.WNOHANG)\nexcept ChildProcessError: pass",
    ),
    "spare itself when memory runs out": attempt(
        "import os\nos.close(os.open('/proc/self/oom_score_adj', os.O_WRONLY))"
    ),
}

ATTACKS = _START | _REACH

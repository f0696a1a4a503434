"""System calls that nobody needs for mathematics: each widens what of the kernel can be attacked.

Each is made with arguments that do nothing. It must be refused for its number, before the kernel looks at them: any other
error means that it was let through. Numbers: asm/unistd_64.h of x86-64, the only machine on which these are tried.
"""

from __future__ import annotations

import platform

from tests.attacks.attack import Attack

_ANYBODYS = """shmget=29 sendfile=40 socket=41 connect=42 accept=43 sendto=44 recvfrom=45 sendmsg=46 bind=49 listen=50
    getsockname=51 socketpair=53 setsockopt=54 getsockopt=55 clone=56 execve=59 wait4=61 semget=64 msgget=68
    flock=73 truncate=76 ftruncate=77 chdir=80 fchdir=81 rename=82 mkdir=83 rmdir=84 creat=85 link=86 unlink=87
    symlink=88 chmod=90 fchmod=91 chown=92 fchown=93 umask=95 ptrace=101 setuid=105 setgid=106 setpgid=109
    capset=126 rt_sigqueueinfo=129 utime=132 mknod=133 personality=135 statfs=137 sysfs=139 setpriority=141
    sched_setscheduler=144 mlock=149 mlockall=151 modify_ldt=154 prctl=157 arch_prctl=158 setrlimit=160 chroot=161
    timer_gettime=224 setxattr=188 getxattr=191 tkill=200 sched_setaffinity=203 io_setup=206 remap_file_pages=216
    timer_create=222 tgkill=234 utimes=235 mbind=237 set_mempolicy=238 mq_open=240 waitid=247 add_key=248
    request_key=249 keyctl=250 ioprio_set=251 inotify_init=253 inotify_add_watch=254 migrate_pages=256 mkdirat=258
    mknodat=259 fchownat=260 futimesat=261 unlinkat=263 renameat=264 linkat=265 symlinkat=266 fchmodat=268
    unshare=272 splice=275 tee=276 sync_file_range=277 vmsplice=278 move_pages=279 utimensat=280 signalfd=282
    timerfd_create=283 fallocate=285 accept4=288 signalfd4=289 eventfd2=290 epoll_create1=291 inotify_init1=294
    pwritev=296 recvmmsg=299 fanotify_mark=301 name_to_handle_at=303 sendmmsg=307 setns=308 process_vm_readv=310
    process_vm_writev=311 kcmp=312 sched_setattr=314 renameat2=316 seccomp=317 memfd_create=319 execveat=322
    copy_file_range=326 pkey_mprotect=329 pidfd_send_signal=424 io_uring_enter=426 io_uring_register=427
    pidfd_open=434 openat2=437 pidfd_getfd=438 process_madvise=440 epoll_pwait2=441 landlock_create_ruleset=444
    landlock_add_rule=445 landlock_restrict_self=446 memfd_secret=447 process_mrelease=448 futex_waitv=449
    cachestat=451 fchmodat2=452 x32_socket=0x40000029 x32_execve=0x40000208 x32_getpid=0x40000027 unknown=4000"""
_ROOTS = """syslog=103 setreuid=113 setgroups=116 setresuid=117 setresgid=119 pivot_root=155 adjtimex=159 acct=163
    settimeofday=164 mount=165 umount2=166 swapon=167 swapoff=168 reboot=169 sethostname=170 setdomainname=171
    iopl=172 ioperm=173 init_module=175 delete_module=176 quotactl=179 clock_settime=227 perf_event_open=298
    fanotify_init=300 open_by_handle_at=304 clock_adjtime=305 finit_module=313 bpf=321 userfaultfd=323
    io_uring_setup=425 open_tree=428 move_mount=429 fsopen=430 fsconfig=431 fsmount=432 fspick=433 mount_setattr=442"""

_CODE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
numbers = dict(entry.split("=") for entry in '''{}'''.split())
for name, number in numbers.items():
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(int(number, 0)), ctypes.c_long(-1), *[ctypes.c_long(0)] * 5)
    print("held" if ctypes.get_errno() in (1, 13) else "BREACH", name, ctypes.get_errno())
"""

ATTACKS = (
    {
        "anybody's": Attack(_CODE.format(_ANYBODYS), needs="a machine that denies none of them to anybody"),
        "root's": Attack(_CODE.format(_ROOTS), needs="a control that runs as root"),
    }
    if platform.machine() == "x86_64"
    else {}
)

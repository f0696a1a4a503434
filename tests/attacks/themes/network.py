"""Sockets of every kind. All targets are on the loopback."""

from __future__ import annotations

from tests.attacks.attack import attempt

ATTACKS = {
    "connect by TCP": attempt("import socket\nsocket.create_connection(('127.0.0.1', @PORT@))"),
    "connect by TCP without blocking": attempt(
        "import socket\ns = socket.socket()\ns.setblocking(False)\nassert s.connect_ex(('127.0.0.1', @PORT@)) in (0, 115)"
    ),
    "ask by HTTP": attempt(
        """
        import urllib.request
        try:
            urllib.request.urlopen("http://127.0.0.1:@PORT@/", timeout=0.2)
        except (TimeoutError, ConnectionResetError):  # connected, but the target does not speak HTTP
            pass
        """
    ),
    "send a datagram": attempt(
        "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', @PORT@))"
    ),
    "listen by TCP": attempt("import socket\nsocket.socket().bind(('127.0.0.1', 0))"),
    "connect to an abstract socket": attempt("import socket\nsocket.socket(socket.AF_UNIX).connect('\\0@MARK@')"),
    "connect to a socket in a folder": attempt("import socket\nsocket.socket(socket.AF_UNIX).connect('@HOME@/socket')"),
    "make a socket in a folder": attempt("import socket\nsocket.socket(socket.AF_UNIX).bind('@HOME@/@MARK@')"),
    "make a socket pair": attempt("import socket\nsocket.socketpair()"),
    "make a socket past Python": attempt("import ctypes\nassert ctypes.CDLL(None).socket(2, 1, 0) >= 0"),
    "make a netlink socket": attempt("import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)"),
    "make a raw socket": attempt(
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", needs="a control that runs as root"
    ),
    "listen by TCP of version 6": attempt(
        "import socket\nsocket.socket(socket.AF_INET6).bind(('::1', 0))", needs="a machine with IPv6"
    ),
    "list the interfaces": attempt("import socket\nassert socket.if_nameindex()"),
    "run an event loop": attempt("import asyncio\nasyncio.run(asyncio.sleep(0))"),
    "pass a descriptor on": attempt(
        """
        import array, os, socket
        left, right = socket.socketpair()
        left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
        """
    ),
}

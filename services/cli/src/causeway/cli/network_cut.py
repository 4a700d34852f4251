"""Cutting a process and all that it starts off from every network but its own loopback (Linux network namespaces)."""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


class NetworkNotCutError(OSError):
    """This machine does not let a user make a network namespace."""


def cut_network() -> None:
    """Move this process, which must have one thread only, to a network of its own where only loopback is up.

    Raises:
        NetworkNotCutError: the kernel refuses; nothing has changed.
    """
    if not sys.platform.startswith("linux"):
        raise NetworkNotCutError("network namespaces are a thing of Linux")
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    # Root needs no user namespace for it; anyone else becomes owner of a network by being root in a namespace.
    if uid != 0 or libc.unshare(_CLONE_NEWNET) != 0:
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise NetworkNotCutError(number, os.strerror(number))
        _stay_the_same_user(uid, gid)
    _loopback_up()


def interfaces() -> list[str]:
    """The network interfaces that this process can see."""
    return [name for _, name in socket.if_nameindex()]


def _stay_the_same_user(uid: int, gid: int) -> None:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(sock, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))

"""A network of one's own for a test: its counters are nobody else's, and its loopback may be taken down.

enter() runs the script again inside; it needs root, or a machine that lets users have namespaces. Linux only.
"""

import fcntl
import os
import pathlib
import socket
import struct
import subprocess
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
INSIDE = "ROOMD_TEST_NAMESPACE"


def _unshare():
    return ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net"]


def allowed():
    try:
        return subprocess.run([*_unshare(), "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def inside():
    return INSIDE in os.environ


def enter():
    """Never returns from outside; inside, loopback is up."""
    if not inside():
        os.environ[INSIDE] = "1"
        command = [*_unshare(), sys.executable, *sys.argv]
        os.execvp(command[0], command)
    set_loopback(True)


def set_loopback(up):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        flags = flags | IFF_UP if up else flags & ~IFF_UP
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags))


def kernel_counters(*names):
    """Those of /proc/net/netstat and /proc/net/snmp, of this namespace."""
    counted = {}
    for file in ("netstat", "snmp"):
        lines = pathlib.Path(f"/proc/self/net/{file}").read_text().splitlines()
        for keys, values in zip(lines[::2], lines[1::2]):
            counted.update(zip(keys.split()[1:], map(int, values.split()[1:])))
    return {name: counted[name] for name in names}

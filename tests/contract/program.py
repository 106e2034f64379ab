"""The program on a store of its own, and a client of it."""

import contextlib
import http.client
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from exchange import Exchange


class Program:
    """With self.memory, a file that can be captured. To be used in a `with`."""

    def __init__(self, program, *settings):
        self.home = Path(tempfile.mkdtemp(prefix="vmsnapd-"))
        self.memory = self.home / "memory.bin"
        self.memory.write_bytes(bytes(4096))
        self.process = subprocess.Popen(
            [program, "--store", self.home / "store", "--memory-root", self.home,
             "--listen", "127.0.0.1:0", *settings], stderr=subprocess.PIPE, text=True)
        line = next(line for line in self.process.stderr if "listening" in line)
        self.url = line.split("address=")[1].strip()
        self.log = []
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr))
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.ended_well = self.process.wait() == 0
        self.reader.join()
        self.process.stderr.close()
        shutil.rmtree(self.home)


def read_block(answer):
    """The first block of a stream, which ends in an empty line."""
    lines = [answer.readline()]
    while lines[-1] not in (b"\n", b""):
        lines.append(answer.readline())
    return b"".join(lines)


class Client:
    """A connection that is kept while the service keeps it. To be used in a `with`."""

    def __init__(self, url):
        host, port = url.removeprefix("http://").rsplit(":", 1)
        self.address = (host, int(port))
        self.socket = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()

    def drop(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def call(self, method, target, headers=(), body=None):
        """An Exchange. Headers are pairs; Host and Content-Length are added."""
        headers = list(headers) + ([] if body is None else [("Content-Length", str(len(body)))])
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.socket = self.socket or socket.create_connection(self.address, timeout=30)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it is answered already
            self.socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))
        answer = http.client.HTTPResponse(self.socket, method=method)
        answer.begin()
        lasts = method == "GET" and answer.headers.get_content_type() == "text/event-stream"
        exchange = Exchange(method, target, headers, body or b"", True, answer.status,
                            answer.getheaders(), read_block(answer) if lasts else answer.read(), not lasts)
        if answer.will_close or lasts:
            self.drop()
        return exchange

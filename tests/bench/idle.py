#!/usr/bin/python3
"""Idle keep-alive connections: idle.py PORT PID COUNT TOKEN_HEADER

Opens COUNT connections to a service, sends a request on each, and keeps them open. Then prints the
service's resident KiB, and the 99th percentile in ms of the time a new connection takes from
connecting to its first answer."""

import resource
import socket
import sys
import time

SAMPLES = 2000

port, pid, count, token = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
request = f"GET /snapshots/bench/manifest HTTP/1.1\r\nHost: localhost\r\n{token}\r\n\r\n".encode()


def ask():
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(request)
    answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    return connection


def timed():
    start = time.perf_counter()
    ask().close()
    return time.perf_counter() - start


most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
idle = [ask() for _ in range(count)]
with open(f"/proc/{pid}/status") as status:
    resident = next(line for line in status if line.startswith("VmRSS")).split()[1]
times = sorted(timed() for _ in range(SAMPLES))
print(resident, f"{times[SAMPLES * 99 // 100] * 1000:.3f}")

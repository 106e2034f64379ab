#!/usr/bin/python3
"""Listeners of events: listeners.py PORT PID COUNT MEMORY

Opens COUNT streams of events to a service, and then makes changes, one at a time. Prints the KiB by
which the service's resident memory has grown with both, and the 99th percentile in ms of the time
from sending a change to its event having reached all of them."""

import http.client
import json
import resource
import select
import socket
import sys
import time

SAMPLES = 200

port, pid, count, memory = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
creation = json.dumps({"memory_file_path": memory, "openvmm_version": "0.0.0", "vp_count": 2,
                       "architecture": "x86_64"}).encode()


def resident():
    with open(f"/proc/{pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


def listen():
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while b"\n\n\r\n" not in answer:  # the first block
        answer += connection.recv(4096)
    return connection


def change(client, method, body):
    client.request(method, "/snapshots/listened-to", body, {"Content-Type": "application/json"})
    answer = client.getresponse()
    answer.read()
    assert answer.status in (200, 201, 204), answer.status


def timed(method, body, what):
    """Until every listener has the event. A comment may come between."""
    waiting = set(listeners)
    start = time.perf_counter()
    change(client, method, body)
    while waiting:
        for fd, _ in polled.poll(10):
            if what in listeners[fd].recv(4096):
                waiting.remove(fd)
    return time.perf_counter() - start


most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
client = http.client.HTTPConnection("127.0.0.1", port)
for _ in range(10):  # threads and heaps are there
    change(client, "PUT", creation)
    change(client, "DELETE", None)
before = resident()
listeners = {connection.fileno(): connection for connection in (listen() for _ in range(count))}
polled = select.epoll()
for each in listeners:
    polled.register(each, select.EPOLLIN)
times = []
for _ in range(SAMPLES // 2):
    times.append(timed("PUT", creation, b"event: created"))
    times.append(timed("DELETE", None, b"event: deleted"))
times.sort()
print(resident() - before, f"{times[SAMPLES * 99 // 100] * 1000:.3f}")

#!/usr/bin/python3
"""Requests that openapi.yaml makes up, valid and not: properties.py PROGRAM [COUNT [SEED]]

COUNT sequences of requests, each on a store of its own. Fails on an answer that the document does
not have, on any failure of the service, on an accepted request that the document forbids and on a
refused one that it allows; shows the shortest sequence that does so. The same SEED makes the same
requests; without one it is 1."""

import re
import sys
from collections import Counter

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.configuration import set_hypothesis_home_dir

from document import Document
from generate import Call, calls
from judge import Judge
from model import Model
from program import Client, Program

# Most requests are about a snapshot that is there.
FIRST = Call("PUT", "/snapshots/a", [("Content-Type", "application/json")],
             b'{"memory_file_path":"{memory}","openvmm_version":"0.0.0","vp_count":2,'
             b'"architecture":"x86_64"}')

counts = Counter()


def make_files(home):
    """What paths in requests name."""
    (home / "m1").write_bytes(bytes(4096))
    (home / "m2").write_bytes(b"\1" * 8192)
    (home / "empty").write_bytes(b"")
    (home / "directory").mkdir()
    (home / "link").symlink_to("m1")
    save(home / "saved", version=1, size=4096)
    save(home / "torn", version=1, size=4095)
    save(home / "wrong", version=2, size=4096)


def save(directory, version, size):
    """A directory as OpenVMM saves a snapshot of 4096 bytes, by the fields of manifest.proto."""
    directory.mkdir()
    fields = [(1, version), (4, 4096), (5, 2), (6, 4096)]
    manifest = b"".join(bytes([number << 3]) + varint(value) for number, value in fields)
    (directory / "manifest.bin").write_bytes(manifest + b"\x3a\x06x86_64")
    (directory / "state.bin").write_bytes(b"\n\0")
    (directory / "memory.bin").write_bytes(bytes(size))


def varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


class Run:
    """One sequence, begun on an empty store."""

    def __init__(self, judge, running, client):
        self.judge, self.running, self.client = judge, running, client
        self.model = Model(judge, running.home)
        self.cursor = "none"
        self.token = "none"
        self.tags = {}  # by path; one that has changed since is a tag like any other
        self.history = []

    def fill_in(self, text, target):
        path = target.split("?")[0]
        for name, value in (("home", str(self.running.home)), ("memory", str(self.running.memory)),
                            ("etag", self.tags.get(path, '"none"')), ("cursor", self.cursor),
                            ("token", self.token)):
            text = text.replace("{%s}" % name, value)
        return text

    def send(self, call):
        target = self.fill_in(call.target, call.target)
        headers = [(name, self.fill_in(value, target)) for name, value in call.headers]
        body = call.body
        if body is not None:
            body = self.fill_in(body.decode("latin-1"), target).encode("latin-1")
        exchange = self.client.call(call.method, target, headers, body)
        self.remember(exchange)
        return exchange

    def remember(self, exchange):
        """What later requests may be filled in with."""
        if tag := exchange.header("ETag"):
            self.tags[exchange.target.split("?")[0]] = tag
        if found := re.search(rb'"next":"(\w+)"', exchange.body):
            self.cursor = found[1].decode()
        if found := re.match(rb'{"token":"([\w-]+)"', exchange.body):
            self.token = found[1].decode()

    def check(self, call):
        exchange = self.send(call)
        counts[exchange.status] += 1
        self.history.append(f"{call!r} → {exchange.status} {exchange.body!r:.300}")
        if complaints := self.judge.complaints(exchange):
            self.fail("; ".join(complaints))
        expected = self.model.statuses(exchange)
        if exchange.status not in expected:
            faults = "; ".join(self.judge.request_faults(exchange)) or "nothing"
            self.fail(f"{exchange.status} instead of {sorted(expected)}; "
                      f"the document has against it: {faults}")
        if exchange.status >= 500 and exchange.body and b'"code":"snapshot_damaged"' not in exchange.body:
            self.fail("the service failed")
        if not self.keeps_id(exchange):
            self.fail("another X-Request-Id")
        self.model.learn(exchange)

    @staticmethod
    def keeps_id(exchange):
        given = exchange.request_header("X-Request-Id") or ""
        return not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) or exchange.header("X-Request-Id") == given

    def fail(self, why):
        raise AssertionError("\n".join([why, *self.history]))

    def end(self):
        for snapshot_id in list(self.model.snapshots):
            self.client.call("PATCH", f"/snapshots/{snapshot_id}", [("Content-Type", "application/json")],
                             b'{"held":false}')  # whatever the model makes of it
            exchange = self.client.call("DELETE", f"/snapshots/{snapshot_id}?force=1")
            assert exchange.status == 204, f"DELETE of {snapshot_id} at the end: {exchange.status}"


def main(program, count="400", seed="1"):
    judge = Judge(Document())
    with Program(program, "--no-access-log") as running, Client(running.url) as client:
        set_hypothesis_home_dir(running.home / "hypothesis")
        make_files(running.home)

        @hypothesis.seed(int(seed))
        @hypothesis.settings(max_examples=int(count), deadline=None, database=None, print_blob=False,
                             phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck))
        @hypothesis.given(calls)
        def requests_are_answered_as_the_document_says(sequence):
            run = Run(judge, running, client)
            try:
                for call in [FIRST, *sequence]:
                    run.check(call)
            finally:
                run.end()

        try:
            requests_are_answered_as_the_document_says()
        finally:
            print(f"seed {seed}: {sum(counts.values())} requests, {dict(sorted(counts.items()))}")


if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/python3
"""What a proxy that knows openapi.yaml has against answers: prism.py TOOLS PROGRAM [COUNT]

A second judge, which shares no code with ours, of the same generated requests. It must see every
operation succeed."""

import json
import re
import socket
import subprocess
import sys
import threading

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.configuration import set_hypothesis_home_dir

from document import ROOT, Document
from generate import calls
from judge import Judge
from program import Client, Program
from properties import FIRST, Run, make_files
from tools import ENVIRONMENT, Tools


# It passes on an answer when it is whole, which these never are.
ENDLESS = {"followEvents"}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


class Proxy:
    """To be used in a `with`."""

    def __init__(self, tools, upstream):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process = subprocess.Popen(
            [tools.command("prism"), "proxy", ROOT / "openapi.yaml", upstream, "--validate-request=false",
             "--cors=false", "--port", self.url.rsplit(":", 1)[1]],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT)

    def __enter__(self):
        for line in self.process.stdout:
            if "is listening" in line:
                self.reader = threading.Thread(target=self.process.stdout.read)
                self.reader.start()
                return self
        raise RuntimeError("Prism does not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()


def main(directory, program, count="80"):
    tools = Tools(directory)
    document = Document()
    judge = Judge(document)
    succeeded, asked = set(), 0
    with (Program(program, "--no-access-log") as running, Proxy(tools, running.url) as proxy,
          Client(proxy.url) as client):
        set_hypothesis_home_dir(running.home / "hypothesis")
        make_files(running.home)

        @hypothesis.seed(1)
        @hypothesis.settings(max_examples=int(count), deadline=None, database=None, print_blob=False,
                             phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
        @hypothesis.given(calls)
        def no_answer_violates_the_document(sequence):
            nonlocal asked
            run = Run(judge, running, client)
            for call in [FIRST, *sequence]:
                operation = document.operation(call.method, call.target)
                if not operation or call.method == "HEAD" or re.search(r"/\.\.?(/|\?|$)", call.target):
                    continue  # it knows only what has an operation of its own, and no dot segments
                if operation["operationId"] in ENDLESS:
                    continue
                exchange = run.send(call)
                asked += 1
                violations = json.loads(exchange.header("sl-violations") or "[]")
                assert not violations, f"{exchange}: {violations}"
                if exchange.status < 300:
                    succeeded.add(operation["operationId"])

        no_answer_violates_the_document()
    missing = {one["operationId"] for _, _, one, _ in document.operations()} - succeeded - ENDLESS
    print(f"{asked} requests; never seen to succeed: {sorted(missing)}")
    sys.exit(bool(missing))


main(*sys.argv[1:])

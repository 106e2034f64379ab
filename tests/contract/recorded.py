#!/usr/bin/python3
"""Every exchange that tests had with the service against openapi.yaml: recorded.py DIRECTORY [begin]

The directory holds what tests/record.c wrote down, a file for each test program; `begin` empties it.
That nothing is missing shows in the ids of requests, which the service counts up by itself."""

import collections
import json
import re
import shutil
import sys
from pathlib import Path

from document import Document
from exchange import read_connection, read_exchange
from judge import Judge


def read_line(line):
    sent, received = (line[side].encode("latin-1") for side in ("sent", "received"))
    was_cut = len(received) < line["received_bytes"]
    if line["kind"] == "exchange":
        found = [read_exchange(sent, received, was_cut)]
    else:
        found = read_connection(sent, received)
    for exchange in found:
        exchange.strip(line["base_path"] or "")
    if len(sent) < line["sent_bytes"]:
        found[-1].request_is_whole = False
    return found


def count_missing(exchanges):
    """Requests that the service answered and nobody wrote down. One of which the test did not wait
    for the answer has taken an id, too."""
    seen = collections.defaultdict(set)
    for exchange in exchanges:
        if match := re.fullmatch(r"([0-9a-f]{16})-([0-9a-f]{8})", exchange.header("X-Request-Id") or ""):
            seen[match[1]].add(int(match[2], 16))
    unanswered = sum(exchange.status == 0 for exchange in exchanges)
    return sum(max(ids) + 1 - len(ids) for ids in seen.values()) - unanswered


def check_file(path, judge):
    """The number of its answers, and what is wrong with them."""
    exchanges, found = [], []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            exchanges += read_line(json.loads(line))
        except ValueError as error:
            found.append(f"{path.stem}:{number}: {error}")
    for exchange in exchanges:
        found += [f"{path.stem}: {exchange}: {complaint}" for complaint in judge.complaints(exchange)]
    missing = count_missing(exchanges)
    if missing > 0:
        found.append(f"{path.stem}: {missing} exchanges were not recorded")
    answered = sum(exchange.status != 0 for exchange in exchanges)
    if answered == 0:
        found.append(f"{path.stem}: no answer was recorded")
    return answered, found


def main(directory, *command):
    if command == ("begin",):
        shutil.rmtree(directory, ignore_errors=True)
        Path(directory).mkdir(parents=True)
        return 0
    judge = Judge(Document())
    files = sorted(Path(directory).glob("*.jsonl"))
    found = [] if files else ["no test recorded anything"]
    answered = 0
    for path in files:
        count, complaints = check_file(path, judge)
        answered += count
        found += complaints
    for complaint, count in collections.Counter(found).items():
        print(complaint, f"({count} times)" if count > 1 else "")
    print(f"{answered} answers of {len(files)} programs, {len(found)} complaints")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

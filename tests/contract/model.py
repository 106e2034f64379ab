"""What the service must make of a request: what the document says in words, and no schema can."""

import base64
import os
import re
from dataclasses import dataclass, field

from document import media_type, parse_json
from judge import read_parts

REFUSALS = {400, 404, 405, 406, 413, 415, 421, 422}
BODY_MAX = {"createSnapshot": 1 << 20, "replaceSnapshot": 1 << 20, "validateSnapshot": 64 << 10,
            "patchSnapshot": 256 << 10, "planRetention": 64 << 10, "applyRetention": 128 << 10}

WRITES = {"createSnapshot", "replaceSnapshot", "patchSnapshot", "deleteSnapshot", "applyRetention"}


@dataclass
class Snapshot:
    etag: str
    state: bytes = None  # None if it is not known
    request: object = None  # that POST made it of
    labels: dict = field(default_factory=dict)
    held: bool = False


def parse_tags(value):
    """A list of entity tags, "*", or None for what is neither."""
    if value.strip() == "*":
        return "*"
    tag = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
    if not re.fullmatch(rf"[ \t]*{tag}(?:[ \t]*,[ \t]*{tag})*[ \t]*", value):
        return None
    return re.findall(tag, value)


def is_multipart(exchange):
    return media_type(exchange.request_header("Content-Type") or "").startswith("multipart/")


def names(tags, etag, is_weak):
    """Whether a condition names the representation, which has this tag or, for None, is not there."""
    if tags == "*" or etag is None:
        return etag is not None
    return any(tag.removeprefix("W/") == etag if is_weak else tag == etag for tag in tags)


def range_statuses(value, size):
    """RFC 9110, section 14.2, for one range of bytes; what cannot be read is passed over."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", value, re.I)
    if not match or match[1] + match[2] == "":
        return {200}
    first, last = match[1], match[2]
    if not first:
        return {416} if int(last) == 0 else {206} if size > 0 else {200}
    if last and int(last) < int(first):
        return {200}
    return {206} if int(first) < size else {416}


def quality(accept, kind):
    """Of a media type, by the most specific range; None if the header cannot be read."""
    best = (-1, 0)
    for element in accept.split(","):
        match = re.fullmatch(r"\s*([\w*.+-]+)/([\w*.+-]+)\s*(?:;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?\s*",
                             element)
        if not match:
            return None
        ranks = {("*", "*"): 0, (kind.split("/")[0], "*"): 1, tuple(kind.split("/")): 2}
        rank = ranks.get((match[1], match[2]), -1)
        if rank > best[0]:
            best = (rank, float(match[3] or 1))
    return best[1] if best[0] >= 0 else 0


def state_of(creation, part):
    """The bytes of state.bin, if the request tells."""
    if part is not None:
        return part.encode("latin-1")
    if "state_file_path" in creation or "snapshot_dir_path" in creation:
        return None
    return base64.b64decode(creation.get("state_base64", ""))


def merge_patch(snapshot, patch):
    """What the labels and the hold become (RFC 7396)."""
    labels = patch.get("labels", {})
    merged = {} if labels is None else {**snapshot.labels, **labels}
    return {"labels": {key: value for key, value in merged.items() if value is not None},
            "held": bool(patch.get("held", snapshot.held))}


class Model:
    """Of one service, whose only client we are."""

    def __init__(self, judge, home):
        self.judge = judge
        self.home = str(home)
        self.snapshots = {}
        self.changes = 0  # made so far
        self.plans = {}  # by token: the changes made until then, and what it drops

    def statuses(self, exchange):
        """Those that the answer may have. An undecided one may have any that the document has."""
        document = self.judge.document
        operation = document.operation(exchange.method, exchange.target)
        _, path = document.find(exchange.target)
        if not operation:
            return {204, 400, 404} if exchange.method == "OPTIONS" else {400, 404, 405}
        if self.judge.request_faults(exchange):
            return REFUSALS
        body_max = BODY_MAX.get(operation["operationId"], 0) + (is_multipart(exchange) << 23)
        if len(exchange.request_body) > body_max:
            return {413}
        snapshot_id = path["id"].decode() if path else None
        rule = getattr(self, operation["operationId"], None)
        return rule(exchange, snapshot_id, self.snapshots.get(snapshot_id)) if rule else {200}

    def listSnapshots(self, exchange, *_):
        return {200, 422} if "cursor=" in exchange.target else {200}  # it may be one that no list gave

    def getSnapshot(self, exchange, _, snapshot):
        if snapshot and "include=" in exchange.target:
            return {200}
        return self.read(exchange, snapshot)

    def read(self, exchange, snapshot):
        if not snapshot:
            return {404}
        value = exchange.request_header("If-None-Match")
        if value is None:
            return {200}
        tags = parse_tags(value)
        if tags is None:
            return {200, 304, 400}
        return {304} if names(tags, exchange.header("ETag"), True) else {200}

    def getManifest(self, exchange, _, snapshot):
        if not snapshot:
            return {404, 406}
        accept = exchange.request_header("Accept")
        if accept is None:
            return self.read(exchange, snapshot)
        qualities = [quality(accept, "application/" + kind) for kind in ("json", "protobuf", "x-protobuf")]
        if None in qualities:
            return {200, 304, 400, 406}
        return {200, 304} if any(qualities) else {406}

    def followEvents(self, exchange, *_):
        accept = exchange.request_header("Accept")
        liked = 1 if accept is None else quality(accept, "text/event-stream")
        return {200, 400, 406} if liked is None else {200} if liked else {406}

    def getState(self, exchange, _, snapshot):
        whole = self.read(exchange, snapshot)
        value = exchange.request_header("Range")
        if whole != {200} or value is None or exchange.method == "HEAD":
            return whole | {206, 416} if len(whole) > 1 else whole
        condition = exchange.request_header("If-Range")
        if condition is not None and condition.strip() != exchange.header("ETag"):
            return {200}
        return {200, 206, 416} if snapshot.state is None else range_statuses(value, len(snapshot.state))

    def listStateUnits(self, _, __, snapshot):
        if not snapshot:
            return {404}
        return {200} if snapshot.state in (b"", b"\n\0") else {200, 500}

    def validateSnapshot(self, exchange, _, snapshot):
        if not snapshot:
            return {404}
        return {200, 409} if "strict=1" in exchange.target else {200}

    def guarded(self, exchange, snapshot, then):
        """By the conditions of a request that writes."""
        for header, must_name in (("If-Match", True), ("If-None-Match", False)):
            value = exchange.request_header(header)
            if value is None:
                continue
            tags = parse_tags(value)
            if tags is None:
                return then | {400, 412}
            if names(tags, snapshot.etag if snapshot else None, not must_name) != must_name:
                return {412}
        return then

    def deleteSnapshot(self, exchange, _, snapshot):
        return self.guarded(exchange, snapshot, {409} if snapshot.held else {204}) if snapshot else {404}

    def patchSnapshot(self, exchange, _, snapshot):
        if not snapshot:
            return {404}
        merged = merge_patch(snapshot, parse_json(exchange.request_body))
        return self.guarded(exchange, snapshot, {200} if len(merged["labels"]) <= 64 else {422})

    def document_of(self, exchange):
        """The creation, and the state that came with it or None."""
        if is_multipart(exchange):
            parts = read_parts(exchange.request_header("Content-Type"), exchange.request_body)
            return parts["snapshot"], parts.get("state")
        return parse_json(exchange.request_body), None

    def source_statuses(self, path):
        """For a file that is named: none if it can be used."""
        if not (path + "/").startswith(self.home + "/"):
            return {403, 422}
        if os.path.normpath(path) != path or os.path.islink(path):
            return {201, 200, 403, 422}
        return set() if os.path.isfile(path) else {422}

    def saved_statuses(self, path):
        """For a directory that is named; of those that are there, one alone is whole."""
        if not (path + "/").startswith(self.home + "/"):
            return {403, 422}
        if os.path.normpath(path) != path.rstrip("/"):
            return {201, 200, 403, 422}
        return set() if path.rstrip("/") == self.home + "/saved" else {422}

    def capture_statuses(self, creation, then):
        if "snapshot_dir_path" in creation:
            found = self.saved_statuses(creation["snapshot_dir_path"])
            return found or then | ({422} if creation.get("capture") == "reflink" else set())
        path = creation["memory_file_path"]
        found = self.source_statuses(path)
        if not found and os.path.getsize(path) != int(creation.get("memory_size_bytes",
                                                                   os.path.getsize(path))):
            found = {422}
        if not found and os.path.getsize(path) == 0:
            found = {422}
        if "state_file_path" in creation:
            found |= self.source_statuses(creation["state_file_path"])
        if creation.get("capture") == "reflink":
            return found or then | {422}  # as the filesystem has it
        return found or then

    def createSnapshot(self, exchange, *_):
        creation, _ = self.document_of(exchange)
        snapshot = self.snapshots.get(creation.get("id"))
        if not snapshot:
            return self.capture_statuses(creation, {201})
        return {200} if snapshot.request == exchange.request_body else {200, 409}

    def replaceSnapshot(self, exchange, snapshot_id, snapshot):
        creation, _ = self.document_of(exchange)
        if creation.get("id", snapshot_id) != snapshot_id:
            return {422}
        made = {201} if not snapshot else {409} if snapshot.held else {200}
        then = self.guarded(exchange, snapshot, made)
        source = self.capture_statuses(creation, set())
        return source | then & {409, 412} if source else then

    def applyRetention(self, exchange, *_):
        changes, _ = self.plans.get(parse_json(exchange.request_body)["token"], (None, None))
        return {422} if changes is None else {200} if changes == self.changes else {200, 412}

    def at(self, target):
        """The snapshot that a target names, if it is there."""
        _, path = self.judge.document.find(target)
        return self.snapshots.get(path["id"].decode("utf-8", "replace")) if path else None

    def learn(self, exchange):
        """From an answer."""
        operation = (self.judge.document.operation(exchange.method, exchange.target) or {}).get("operationId")
        if operation == "planRetention" and exchange.status == 200:
            self.learn_plan(parse_json(exchange.request_body), parse_json(exchange.body))
        if operation == "applyRetention" and exchange.status == 200:
            self.learn_outcome(parse_json(exchange.request_body)["token"], parse_json(exchange.body))
        self.changes += operation in WRITES and exchange.status in (200, 201, 204)
        if exchange.method == "DELETE" and exchange.status == 204:
            _, path = self.judge.document.find(exchange.target)
            del self.snapshots[path["id"].decode()]
        if exchange.method == "PATCH" and exchange.status == 200:
            self.learn_patch(exchange)
        if exchange.method in ("POST", "PUT") and exchange.status in (200, 201) and exchange.header("ETag"):
            creation, state = self.document_of(exchange)
            snapshot = parse_json(exchange.body)
            self.snapshots[snapshot["id"]] = Snapshot(
                exchange.header("ETag"), state_of(creation, state),
                exchange.request_body if exchange.method == "POST" else None,
                snapshot["labels"], snapshot["held"])

    def learn_patch(self, exchange):
        snapshot, after = self.at(exchange.target), parse_json(exchange.body)
        merged = merge_patch(snapshot, parse_json(exchange.request_body))
        shown = {"labels": after["labels"], "held": after["held"]}
        assert shown == merged, f"{shown} is not {merged}"
        snapshot.etag = exchange.header("ETag")
        snapshot.labels, snapshot.held = after["labels"], after["held"]

    def learn_plan(self, policy, plan):
        """Each snapshot is kept or dropped, and none that is held; without a filter, each there is."""
        decisions, count = plan["decisions"], plan["keep_count"] + plan["drop_count"]
        found = {one["id"]: one for one in decisions}
        dropped = {key for key, one in found.items() if one["action"] == "drop"}
        assert len(found) == len(decisions) == count, f"twice in {plan}"
        assert len(dropped) == plan["drop_count"], f"{plan} does not drop {dropped}"
        known = set(self.snapshots)
        is_known = found.keys() <= known if policy.get("filter") else found.keys() == known
        assert is_known, f"{plan} is not about {known}"
        held = {key for key in found if self.snapshots[key].held}
        shown = {key for key, one in found.items() if "held" in one["reasons"]}
        assert held == shown, f"{held} are held in {plan}"
        assert not held & dropped, f"{plan} drops what is held"
        self.plans[plan["token"]] = (self.changes, dropped)

    def learn_outcome(self, token, outcome):
        _, dropped = self.plans[token]
        assert set(outcome["dropped"]) == dropped and not outcome["failed"], f"{outcome} is not {dropped}"
        for key in dropped:
            del self.snapshots[key]

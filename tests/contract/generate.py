"""Requests, valid and not: built as the document allows, then bent in ways that it may forbid.

Whether it does is for the document to say, and for model.py what the service must make of it. What
stands in braces is filled in when the request is sent: {home}, {memory}, {etag}, {cursor} and {token}."""

import base64
import json
import urllib.parse
from dataclasses import dataclass

from hypothesis import strategies as st

IDS = ["a", "b", "c-1.x_", "z" * 128]
BAD_IDS = [".", "..", ".a", "-", "a" * 129, "a%20b", "%c3%a9", "a%2fb", "%00", "%zz", "%", "%ff", "a+b"]
TEXTS = ["", "0", "x", "x" * 256, "x" * 257, "é" * 128, "é" * 129, "\0", "a\0b", "\U0001f600", "\ud800",
         "a\nb"]
BOUNDS = [0, 1, 2, 4096, 2**31, 2**32, 2**53, 2**63, 2**64, 10**30]
INTEGERS = sorted({sign * bound + step for bound in BOUNDS for sign in (1, -1) for step in (-1, 0, 1)})
TIMES = ["2026-01-02T03:04:05Z", "2026-01-02t03:04:05.123456789+23:59", "0001-01-01T00:00:00Z",
         "9999-12-31T23:59:59.999999999Z", "2024-02-29T00:00:00-00:00", "2026-01-02T03:04:05.1234567890Z",
         "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-02T24:00:00Z", "2026-01-02T23:59:60Z",
         "0000-12-31T23:59:59Z", "2026-01-02 03:04:05Z", "2026-01-02T03:04:05", "2026-01-02T03:04:05+24:00",
         "0001-01-01T01:00:00+01:00", "0001-01-01T00:59:59+01:00", "0000-12-31T23:00:00-01:00",
         "0000-12-31T22:59:59-01:00", "0000-12-30T23:59:59-23:59", "0000-02-29T00:00:00Z",
         "9999-12-31T22:59:59-01:00", "9999-12-31T23:00:00-01:00",
         "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05Z\n", "1900-02-29T00:00:00Z", "2000-02-29T00:00:00Z"]


@dataclass
class Call:
    method: str
    target: str
    headers: list
    body: bytes = None

    def __repr__(self):
        return f"{self.method} {self.target} {self.headers} {self.body!r:.1000}"


class Number(float):
    """A number as it is written: json.dumps() asks for its repr."""

    def __new__(cls, text):
        self = super().__new__(cls, 0)
        self.text = text
        return self

    def __repr__(self):
        return self.text


def dump(value):
    """JSON; a list of pairs marked as members may hold one twice."""
    if isinstance(value, Members):
        return "{" + ",".join(f"{json.dumps(name)}:{dump(one)}" for name, one in value.pairs) + "}"
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return dump(Members(list(value.items())))
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value)


@dataclass
class Members:
    pairs: list


def mostly(good, bad):
    """Fourteen times out of fifteen a good one: there are many in a request."""
    return st.integers(0, 14).flatmap(lambda n: bad if n == 14 else good)


def choose(*values):
    return st.sampled_from(values)


texts = st.sampled_from(TEXTS) | st.text(max_size=20)
integers = st.sampled_from(INTEGERS) | st.integers(-2**65, 2**65)
numbers = integers | integers.map(str) | choose(*map(Number, (
    "4096.0", "1e3", "-0", "0.5", "1E400", "2.0e0"))) | choose("+1", "01", "1 ", "0x1", "-0", "")
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3)
                      | st.dictionaries(texts, inner, max_size=3), max_leaves=5)

sizes = choose(4096, "4096", 8192, "8192", 1, 0)
paths = mostly(choose("{home}/m1", "{home}/m2", "{memory}"),
               choose("{home}/none", "{home}/empty", "{home}/directory", "{home}/link", "{home}",
                      "{home}/../outside", "{home}x/m1", "/etc/passwd", "/", "m1", "", "/\0",
                      "{home}/m1\0", "{home}//m1", "{home}/./m1", "/" + "x" * 4094, "/" + "x" * 4095))
timestamps = (st.sampled_from(TIMES)
              | st.datetimes().map(lambda time: time.isoformat() + "Z")
              | st.fixed_dictionaries({"seconds": numbers, "nanos": numbers})
              | st.dictionaries(choose("seconds", "nanos", "x"), numbers))
labels = mostly(st.dictionaries(choose(*IDS), choose("", "x", "é" * 128), max_size=3),
                st.dictionaries(choose(*IDS, "", ".", "a b", "é"), texts, max_size=3)
                | st.integers(63, 65).map(lambda n: {f"k{i}": "v" for i in range(n)}))
arguments = mostly(st.lists(choose("--uefi", "", "é", "a b"), max_size=3),
                   st.lists(texts, max_size=2)
                   | choose(["x" * 65536], ["x" * 65537], ["x" * 32768] * 2, ["x" * 32768] * 3,
                            ["é" * 32769]))
# A state.bin of no units, of one, and what is none.
states = choose(b"", b"\n\0", b"\n\x0f\n\x03pit\x12\x08\n\x01t\x12\x03\n\x01x", b"\xff", b"garbage")
encoded = (states | st.binary(max_size=20)).map(lambda data: base64.b64encode(data).decode())

SAVED_PATHS = mostly(choose("{home}/saved", "{home}/saved", "{home}/torn", "{home}/wrong"),
                     choose("{home}/none", "{home}/m1", "{home}", "{home}/directory", "{home}x/saved", "/etc",
                            "{home}/../outside", "saved", "", "{home}/saved/", "/" + "x" * 4095))
CREATION = {
    "id": mostly(choose(*IDS), texts),
    "memory_file_path": paths,
    "capture": mostly(choose("link", "copy", "isolate", "reflink"), texts),
    "state_file_path": paths,
    "state_base64": mostly(encoded, texts | choose("AA", "AA==", "AB==", "AAA=", "A===", "AA=\n", "-_==",
                                                   "====")),
    "openvmm_version": mostly(choose("0.0.0", "", "é" * 128), texts),
    "vp_count": mostly(choose(1, 2, 2**32 - 1, "2"), numbers),
    "architecture": mostly(choose("x86_64", "aarch64"), texts),
    "page_size": mostly(choose(4096, 65536, "8192"), numbers),
    "memory_size_bytes": mostly(sizes, numbers),
    "created_at": mostly(choose(*TIMES[:5]), timestamps),
    "vmm_args": arguments,
    "labels": labels,
    "allow_writer": st.booleans(),
}
TAKING_IN = {"snapshot_dir_path": SAVED_PATHS,
             **{name: CREATION[name] for name in ("id", "capture", "vmm_args", "labels", "allow_writer")}}
REQUIRED = ("memory_file_path", "openvmm_version", "vp_count", "architecture")
EXPECTATIONS = {
    "architecture": texts,
    "memory_size_bytes": mostly(sizes, numbers),
    "vp_count": mostly(choose(1, "2"), numbers),
    "page_size": mostly(choose(4096, "8192"), numbers),
    "state_units": st.lists(texts, max_size=3),
}

counts = mostly(choose(1, 2, 3, "1", 2**32 - 1), numbers)
durations = mostly(choose("P1D", "PT1H", "P1Y2M10DT2H30M", "P2W", "PT1S", "P999999999Y", "P1M"),
                   texts | choose("P", "PT", "P0D", "P1H", "P1DT", "P1W1D", "p1d", "P1.5D", "P1D1D",
                                  "P1000000000D"))
filters = mostly(choose({}, {}, {"held": False}, {"label": ["a"]}, {"label": ["a:x", "b"], "status": "ready"},
                        {"q": "a"}, {"created_before": "2026-01-02T03:04:05Z"}, {"memory_min": "1"},
                        {"architecture": "x86_64", "openvmm_version": "0.0.0"},
                        {"created_after": {"seconds": 0, "nanos": -1}}),
                 choose({"q": ""}, {"status": "good"}, {"held": 1}, {"label": "a"}, {"label": [":x"]},
                        {"label": ["a:x"] * 17}, {"limit": 1}, {"created_after": "2026"},
                        {"memory_max": -1}, [], None))
POLICY = {
    **{f"keep_{rule}": counts for rule in ("last", "hourly", "daily", "weekly", "monthly", "yearly")},
    "keep_within": durations,
    "max_bytes": mostly(choose(0, 1, 4096, 8192, "12288", 2**40), numbers),
    "group_by": mostly(choose("a", "b"), texts),
    "filter": filters,
}
APPLICATION = {"token": mostly(choose("{token}"), texts | choose("{token}0", "0" * 33, "{cursor}"))}


@st.composite
def documents(draw, members, required=()):
    """An object of some of these members; one time out of five it is bent."""
    names = list(required) + draw(st.lists(st.sampled_from(sorted(members)), max_size=4, unique=True))
    pairs = [(name, draw(members[name])) for name in dict.fromkeys(names)]
    if draw(st.integers(0, 4)) < 4:
        return Members(pairs)
    at = draw(st.integers(0, len(pairs)))
    kind = draw(choose("drop", "add", "double", "replace", "whole"))
    if kind == "drop":
        del pairs[at:at + 1]
    elif kind == "add":
        pairs.insert(at, (draw(texts), draw(values)))
    elif kind == "double":
        pairs += pairs[at:at + 1]
    elif kind == "replace" and at < len(pairs):
        pairs[at] = (pairs[at][0], draw(values))
    elif kind == "whole":
        return draw(values)
    return Members(pairs)


@st.composite
def json_bodies(draw, members, required=()):
    data = dump(draw(documents(members, required))).encode()
    if draw(st.integers(0, 19)) < 19:
        return data
    at = draw(st.integers(0, len(data)))
    return draw(choose(data[:at], data[:at] + b"\xff" + data[at:], data[:at] + b"\0" + data[at:],
                       b"\xef\xbb\xbf" + data, data + b" \n", data + b"x", data.replace(b":", b" : "),
                       data + b" " * (64 << 10)))


PATCH = {
    "labels": mostly(st.dictionaries(choose(*IDS), st.none() | choose("", "x"), max_size=3) | st.none(),
                     st.dictionaries(choose(*IDS, "", ".", "a b", "é"), scalars, max_size=3)
                     | st.integers(63, 65).map(lambda n: {f"k{i}": "v" for i in range(n)})
                     | st.just({f"k{i}": None for i in range(100)})),
    "held": mostly(choose(True, False, False, None), scalars),
}

JSON_TYPES = mostly(choose("application/json", "application/json; charset=utf-8", "APPLICATION/JSON"),
                    choose("text/plain", "application/jsonx", "application/xml", "", None,
                           "application/x-www-form-urlencoded"))


PATCH_TYPES = mostly(choose("application/merge-patch+json", "Application/Merge-Patch+JSON;x=y"), JSON_TYPES)


@st.composite
def part(draw, name, kind, data):
    disposition = draw(mostly(choose('form-data; name="%s"', 'Form-Data;name=%s; filename="f"'),
                              choose('form-data; name="%sx"', 'attachment; name="%s"', "form-data")))
    head = [b"Content-Disposition: " + disposition.replace("%s", name).encode()]
    if draw(st.booleans()):
        head.append(b"Content-Type: " + kind)
    coding = draw(mostly(st.none(), choose(b"binary", b"8bit", b"7bit", b"base64", b"quoted-printable")))
    if coding:
        head.append(b"Content-Transfer-Encoding: " + coding)
    return b"\r\n".join(head) + b"\r\n\r\n" + data


def creation_bodies():
    """Of either kind, or, now and then, a mixture."""
    whole = json_bodies(CREATION, REQUIRED)
    return choose(0, 0, 0, 1).flatmap(lambda kind: mostly(
        json_bodies(TAKING_IN, ("snapshot_dir_path",)) if kind else whole,
        json_bodies({**CREATION, **TAKING_IN}, ("snapshot_dir_path",))))


@st.composite
def multipart_bodies(draw):
    """Content-Type and body."""
    boundary = draw(choose(b"x", b"----b0undary", b"y" * 70))
    snapshot = part("snapshot", b"application/json", draw(creation_bodies()))
    state = part("state", b"application/octet-stream", draw(states))
    parts = draw(mostly(choose([snapshot, state], [state, snapshot], [snapshot]),
                        choose([], [state], [snapshot, snapshot], [state, snapshot, state],
                               [snapshot, part("other", b"text/plain", b"x")])))
    body = b"".join(b"--" + boundary + b"\r\n" + draw(one) + b"\r\n" for one in parts)
    body += draw(mostly(choose(b"--" + boundary + b"--\r\n", b"--" + boundary + b"--"),
                        choose(b"", b"--" + boundary)))
    kind = draw(mostly(choose('multipart/form-data; boundary="%s"', "Multipart/Form-Data;boundary=%s"),
                       choose("multipart/form-data", "multipart/mixed; boundary=%s")))
    return kind.replace("%s", boundary.decode()), body


def pairs_of(names):
    values = mostly(choose("0", "1"), texts) | choose("live", "{cursor}", "01", "1000")
    return st.tuples(names, st.none() | values)


@st.composite
def queries(draw, *good):
    """What follows the path: mostly good parameters."""
    names = choose("colour", "x")
    if good:
        names = mostly(choose(*good), choose("colour", "", "limit", "force", "Limit"))
    chosen = draw(mostly(choose(*GOOD_QUERIES.get(good, [""])), st.lists(pairs_of(names), max_size=3)))
    if isinstance(chosen, str):
        return chosen
    quoted = [urllib.parse.quote(name)
              + ("" if value is None
                 else "=" + urllib.parse.quote(value.encode("utf-8", "replace"), safe="{}"))
              for name, value in chosen]
    return "?" + "&".join(quoted) if quoted else ""


LISTED = ("limit", "cursor", "sort", "total", "include", "label", "architecture", "status", "held",
          "created_after", "created_before", "memory_min", "memory_max", "openvmm_version", "q")
GOOD_QUERIES = {
    LISTED: ["", "?limit=1", "?limit=1000", "?limit=2&include=live", "?cursor={cursor}", "?limit=0",
             "?limit=1001", "?%6cimit=1", "?sort=-created_at&total=1", "?sort=created",
             "?limit=1&sort=-id&cursor={cursor}",
             "?label=vm:web&label=vm", "?label=:x", "?label=a%20b", "?label=vm:%00",
             "?status=ready&held=false", "?held=1", "?status=Ready",
             "?created_after=2026-01-02T03:04:05Z&sort=created_at",
             "?created_before=2026-01-02T03:04:05.678%2B01:00", "?created_after=2026-01-02",
             "?memory_min=4096", "?memory_max=18446744073709551615&memory_min=0",
             "?memory_max=18446744073709551616", "?memory_min=-1",
             "?architecture=x86_64&openvmm_version=0.0.0&q=a", "?q=", "?q=%22%25_*%27&total=1", "?q=abc",
             "?total=2"],
    ("include",): ["", "?include=live", "?include=%6Cive"],
    ("force",): ["", "?force=0", "?force=1"],
    ("strict",): ["", "?strict=0", "?strict=1"],
}

TAGS = ["*", "{etag}", "W/{etag}", '"x"', '"x", {etag}', '"x" ,\t"y"', '{etag},{etag}', "x", '"x', "", ",",
        "* ,*"]
RANGES = ["bytes=0-0", "bytes=0-", "bytes=-1", "bytes=5-3", "bytes=17-", "bytes=1000-", "bytes=-0",
          "bytes=0-0,2-3", "bytes=0-99999999999999999999", "bytes=a-b", "lines=0-1", "bytes", "bytes=",
          "bytes = 0-1", "Bytes=1-2"]
ACCEPTS = ["*/*", "application/json", "application/protobuf", "application/x-protobuf", "application/*;q=0.5",
           "application/protobuf;q=0.2, application/json;q=0.1", "text/html", "application/json;q=0",
           "*/*;q=0", "application/json;q=0, */*", "application/*;q=0,application/protobuf;q=0.001", "",
           "json", "application/json;q=2", "application/json;q=0.0001", "text/html, */*;q=0.1",
           "application/json;v=1", "text/event-stream", "text/*;q=0.1", "text/event-stream;q=0, */*"]
EVENT_IDS = ["", "0", "x", "5f1c8a9be07d4c32-1048577", "0000000000000000-0", "-", "é"]
REQUEST_IDS = ["a", "A.b_c-9", "x" * 64, "x" * 65, "a b", "é", ""]


@st.composite
def headers(draw, *names):
    """Of those that mean something here, at most two; now and then one that does not."""
    sources = {"If-Match": TAGS, "If-None-Match": TAGS, "If-Range": TAGS, "Range": RANGES, "Accept": ACCEPTS,
               "X-Request-Id": REQUEST_IDS, "Prefer": ["respond-async", "wait=1"],
               "Last-Event-ID": EVENT_IDS, "X-Other": ["", "x"]}
    offered = choose(*names, *names, "X-Request-Id", "Prefer", "X-Other")
    chosen = draw(st.lists(offered, max_size=2, unique=True))
    return [(name, draw(st.sampled_from(sources[name]))) for name in chosen]


ids = mostly(choose("a", "a", *IDS), choose(*BAD_IDS))


@st.composite
def creates(draw):
    method = draw(choose("POST", "PUT"))
    if method == "POST":
        target, extra = "/snapshots" + draw(queries()), draw(headers())
    else:
        target = f"/snapshots/{draw(ids)}" + draw(queries("force"))
        extra = draw(headers("If-Match", "If-None-Match"))
    if draw(st.integers(0, 3)) == 0:
        kind, body = draw(multipart_bodies())
    else:
        kind, body = draw(JSON_TYPES), draw(creation_bodies())
    return Call(method, target, extra + [("Content-Type", kind)] * (kind is not None), body)


@st.composite
def patches(draw):
    kind = draw(PATCH_TYPES)
    return Call("PATCH", f"/snapshots/{draw(ids)}" + draw(queries()),
                draw(headers("If-Match", "If-None-Match")) + [("Content-Type", kind)] * (kind is not None),
                draw(json_bodies(PATCH)))


@st.composite
def validations(draw):
    kind = draw(JSON_TYPES)
    return Call("POST", f"/snapshots/{draw(ids)}/validate" + draw(queries("strict")),
                draw(headers()) + [("Content-Type", kind)] * (kind is not None),
                draw(json_bodies(EXPECTATIONS)))


@st.composite
def prunings(draw):
    """A plan, mostly carried out at once."""
    some = draw(choose(("keep_last",), ("max_bytes",), ("max_bytes",)))
    plan = ("plan", draw(json_bodies(POLICY, some)))
    apply = ("apply", draw(json_bodies(APPLICATION, ("token",))))
    bodies = draw(mostly(choose([plan, apply], [plan, apply], [plan]), choose([apply], [plan, apply, apply])))
    kind = draw(JSON_TYPES)
    return [Call("POST", f"/retention/{target}" + draw(queries()),
                 draw(headers()) + [("Content-Type", kind)] * (kind is not None), body)
            for target, body in bodies]


@st.composite
def reads(draw):
    one = f"/snapshots/{draw(ids)}"
    target = draw(choose("/snapshots", one, one + "/manifest", one + "/state", one + "/state/units",
                         "/events", "/healthz", "/readyz", "/metrics", "/openapi.yaml"))
    extra = {"/snapshots": (), one: ("If-None-Match",), one + "/manifest": ("Accept", "If-None-Match"),
             "/events": ("Accept", "Last-Event-ID"),
             one + "/state": ("Range", "If-Range", "If-None-Match")}.get(target, ())
    query = {"/snapshots": LISTED, one: ("include",)}.get(target, ())
    method = draw(mostly(choose("GET"), choose("HEAD")))
    return Call(method, target + draw(queries(*query)), draw(headers(*extra)),
                draw(mostly(st.none(), choose(b"", b"x"))))


@st.composite
def removals(draw):
    return Call("DELETE", f"/snapshots/{draw(ids)}" + draw(queries("force")),
                draw(headers("If-Match", "If-None-Match")))


@st.composite
def strays(draw):
    """Other methods, other paths."""
    method = draw(choose("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "get"))
    target = draw(choose("/", "/snapshots", "/snapshots/", "/snapshots/a", "/snapshots/a/",
                         "/snapshots//manifest", "/snapshots/a/manifest", "/snapshots/a/validate",
                         "/retention/plan", "/retention/apply", "/retention", "/nothing", "/healthz",
                         "/%68ealthz", "/HEALTHZ", "//healthz", "/./healthz", "/openapi.yaml", "*",
                         "healthz", "http://localhost/healthz"))
    return Call(method, target, draw(headers()))


one = (creates() | creates() | reads() | reads() | reads() | validations() | patches() | patches()
       | removals() | strays())
steps = choose(0, 0, 0, 0, 0, 1).flatmap(lambda n: prunings() if n else one.map(lambda call: [call]))
calls = st.lists(steps, min_size=1, max_size=12).map(lambda lists: sum(lists, []))

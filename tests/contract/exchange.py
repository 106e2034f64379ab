"""A request and its answer, and how to find them in what went over a connection."""

import re
from dataclasses import dataclass, field

UNREADABLE = "?"  # the method of a request that is none, and of one that is not known


@dataclass
class Exchange:
    method: str = UNREADABLE
    target: str = ""
    request_headers: list = field(default_factory=list)  # pairs
    request_body: bytes = b""
    request_is_whole: bool = True
    status: int = 0  # 0 if no answer came
    headers: list = field(default_factory=list)
    body: bytes = b""
    is_whole: bool = True

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def request_header(self, name):
        return next((value for key, value in self.request_headers if key.lower() == name.lower()), None)

    def strip(self, base_path):
        """Takes from the target what the service has in front of its paths; it need not be there."""
        if self.target.startswith(base_path + "/"):
            self.target = self.target[len(base_path):]

    def is_of_library(self):
        """Not all versions of it send a Content-Type."""
        return (self.header("X-Request-Id") is None and self.header("Connection") == "close"
                and self.header("Content-Type") in (None, "text/html"))

    def is_preflight(self):
        return (self.method == "OPTIONS" and self.request_header("Access-Control-Request-Method")
                and self.header("Access-Control-Allow-Origin"))

    def __str__(self):
        return f"{self.method} {self.target:.200} → {self.status or 'nothing'}"


def split_head(data):
    """Lines of the head, and what follows it; no lines if it does not end."""
    head, end, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n") if end else [], rest


def parse_headers(lines):
    pairs = [line.partition(":") for line in lines]
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def take_chunked(data):
    """The body, what follows it, and whether it came to its end."""
    body = b""
    while match := re.match(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n", data):
        size = int(match[1], 16)
        data = data[match.end():]
        if size == 0:
            end = data.find(b"\r\n") if data.startswith(b"\r\n") else data.find(b"\r\n\r\n") + 2
            return body, data[end + 2:], end >= 0
        body += data[:size]
        data = data[size + 2:]
    return body, b"", False


def take_body(data, headers, is_answer):
    """By RFC 9112, section 6.3."""
    fields = {name.lower(): value for name, value in headers}
    if fields.get("transfer-encoding", "").lower() == "chunked":
        return take_chunked(data)
    length = fields.get("content-length", "")
    if length.isdecimal() and len(length) < 20:
        return data[:int(length)], data[int(length):], len(data) >= int(length)
    return (data, b"", True) if is_answer else (b"", data, True)


def parse_request(data):
    """The first request, and what was sent after it. Empty lines in front are none (RFC 9112, 2.2)."""
    lines, rest = split_head(re.sub(rb"\A(\r\n)+", b"", data))
    words = lines[0].split(" ") if lines else []
    if len(words) != 3:
        return Exchange(request_is_whole=False), b""
    exchange = Exchange(words[0], words[1], parse_headers(lines[1:]))
    exchange.request_body, rest, exchange.request_is_whole = take_body(
        rest, exchange.request_headers, False)
    return exchange, rest


def parse_answer(exchange, data):
    """Fills in the first answer that is final; what was received after it."""
    while re.match(rb"HTTP/1\.1 1\d\d ", data):
        data = split_head(data)[1]
    lines, rest = split_head(data)
    match = lines and re.match(r"HTTP/1\.[01] (\d{3}) ", lines[0])
    if not match:
        return data
    exchange.status = int(match[1])
    exchange.headers = parse_headers(lines[1:])
    if exchange.method == "HEAD" or exchange.status in (204, 304):
        return rest
    exchange.body, rest, exchange.is_whole = take_body(rest, exchange.headers, True)
    return rest


def read_exchange(sent, received, was_cut):
    """From a client library, which took transfer codings away."""
    lines, body = split_head(sent)
    method, target = lines[0].split(" ")[:2]
    exchange = Exchange(method, target, parse_headers(lines[1:]), body)
    lines, exchange.body = split_head(received)
    exchange.status = int(lines[0].split(" ")[1])
    exchange.headers = parse_headers(lines[1:])
    exchange.is_whole = not was_cut
    return exchange


def read_connection(sent, received):
    """Every request with its answer; the last ones may have none. ValueError for an answer that is
    no HTTP."""
    found = []
    while sent or received:
        exchange, sent = parse_request(sent)
        left = parse_answer(exchange, received)
        if exchange.status == 0 and left and not b"HTTP/1.1 ".startswith(left[:9]):
            raise ValueError(f"no answer: {left[:80]}")
        is_last = exchange.status == 0 or exchange.is_of_library()
        received = b"" if is_last else left
        found.append(exchange)
    return found

#!/usr/bin/python3
"""The examples in docker/, with the real proxies: proxies.py PROGRAM

Each of nginx, Caddy and HAProxy is started with its example, of which only addresses and paths are
changed, in front of a service of its own; the main job is done through it over TLS, and what the
service answers is judged by openapi.yaml. Needs the proxies and openssl. Exits with 77, saying so,
where one of them is missing."""

import contextlib
import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/contract"))
from document import Document  # noqa: E402
from exchange import Exchange, read_connection  # noqa: E402
from judge import Judge  # noqa: E402

PROGRAM = sys.argv[1]
NAME = "vms.example"
CLIENT = "127.0.0.2"  # not the proxy's own address
UPLOAD = 64 << 20
PATIENCE_S = 20

# What proxies put on answers.
OF_THE_PROXY = {"server", "alt-svc", "via"}

passed = 0


def check(what, good, detail=""):
    global passed
    if not good:
        sys.exit(f"{what}: {detail}")
    passed += 1


def same(what, found, expected):
    check(what, found == expected, f"{found!r}, not {expected!r}")


def wait_for(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        check(what, time.monotonic() < deadline, "in vain")
        time.sleep(0.01)
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def replaced(text, *pairs):
    """Each pattern must be there: an example that changes must not go untested."""
    for old, new in pairs:
        check(f"{old} is in the example", old in text)
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def running(arguments, log, **more):
    with open(log, "ab") as out:
        process = subprocess.Popen([str(each) for each in arguments], stdout=out, stderr=out, **more)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


class Service:
    """vmsnapd on a store of its own, listening on a port and on a unix socket."""

    def __init__(self, home, *options):
        self.home, self.log = home, home / "service.log"
        self.socket = home / "socket"
        self.arguments = [PROGRAM, "--store", home / "store", "--memory-root", home / "vms",
                          "--listen", "127.0.0.1:0", "--listen", f"unix:{self.socket}",
                          "--socket-mode", "0666", "--host", NAME, "--log-format", "json",
                          "--trusted-proxy", "127.0.0.1", "--trusted-proxy", "unix", *options]
        (home / "vms").mkdir()
        (home / "vms/memory.bin").write_bytes(b"\1" * 4096)

    def lines(self, event):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in map(json.loads, lines) if line["event"] == event]

    def address(self):
        listening = wait_for("listening", lambda: len(self.lines("listening")) == 2
                             and self.lines("listening"))
        return next(line["address"] for line in listening if "http" in line["address"])[7:]

    def requests(self):
        return self.lines("request")

    def request(self, request_id):
        """The line of a request; it is written when the answer has been sent."""
        found = wait_for(f"the line of {request_id}", lambda: [
            line for line in self.requests() if line["request_id"] == request_id])
        same(f"lines of {request_id}", len(found), 1)
        return found[0]

    def staged(self):
        """Bytes of uploads that are on disk and not published."""
        files = (self.home / "store/.vmsnapd").rglob("*state*")
        return sum(file.stat().st_size for file in files if file.is_file())


class Proxy:
    """A client of a proxy, and the certificate that it trusts."""

    judge = Judge(Document())

    def __init__(self, port, certificate, prefix):
        self.port, self.prefix = port, prefix
        self.context = ssl.create_default_context(cafile=certificate)

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S, (CLIENT, 0))
        return self.context.wrap_socket(plain, server_hostname=NAME)

    def is_up(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except ConnectionRefusedError:
            return False

    def call(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(NAME, self.port)
        connection.sock = self.connect()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, headers, encode_chunked=not isinstance(body, bytes)
                           and body is not None)
        answer = connection.getresponse()
        answer.data = answer.read()
        connection.close()
        is_whole = body is None or isinstance(body, bytes)
        self.judge_answer(Exchange(method, path, list(headers.items()), (body or b"") if is_whole else b"",
                                   is_whole, answer.status, answer.getheaders(), answer.data))
        return answer

    def raw(self, request):
        """All that comes until the proxy closes."""
        with self.connect() as connection:
            connection.sendall(request)
            answer = b""
            with contextlib.suppress(ConnectionResetError, TimeoutError, ssl.SSLError):
                connection.settimeout(PATIENCE_S)
                while piece := connection.recv(65536):
                    answer += piece
        for exchange in read_connection(request, answer):
            self.judge_answer(exchange)
        return answer

    def judge_answer(self, exchange):
        """One of the proxy's own has no id."""
        if exchange.header("X-Request-Id") is None:
            return
        exchange.strip(self.prefix)
        exchange.headers = [pair for pair in exchange.headers if pair[0].lower() not in OF_THE_PROXY]
        complaints = self.judge.complaints(exchange)
        check(f"{exchange} is as in openapi.yaml", not complaints, complaints)


def creation(service, name):
    return {"id": name, "memory_file_path": f"{service.home}/vms/memory.bin",
            "openvmm_version": "0.0.0", "vp_count": 2, "architecture": "x86_64"}


def create(proxy, service, prefix, name, **headers):
    return proxy.call("POST", f"{prefix}/snapshots", json.dumps(creation(service, name)).encode(),
                      Content_Type="application/json", **headers)


def check_main_job(proxy, service, prefix):
    answer = create(proxy, service, prefix, "a")
    same("created", answer.status, 201)
    same("Location", answer.headers["Location"], f"{prefix}/snapshots/a")
    same("created", create(proxy, service, prefix, "b").status, 201)
    page = proxy.call("GET", f"{prefix}/snapshots?limit=1")
    link = re.fullmatch(r'<https://([^/]*)(/[^>]*)>; rel="next"', page.headers["Link"] or "")
    check("Link is whole", link, page.headers["Link"])
    same("host in Link", link[1], f"{NAME}:{proxy.port}")
    check("Link has the prefix", link[2].startswith(f"{prefix}/snapshots?"), link[2])
    page = json.loads(proxy.call("GET", link[2]).data)
    same("the next page", [each["id"] for each in page["snapshots"]], ["b"])
    answer = proxy.call("GET", f"{prefix}/snapshots/a/manifest")
    same("page size", json.loads(answer.data)["page_size"], 4096)
    again = proxy.call("GET", f"{prefix}/snapshots/a/manifest", If_None_Match=answer.headers["ETag"])
    same("not modified", (again.status, again.data), (304, b""))
    expected = json.dumps({"vp_count": 3}).encode()
    answer = proxy.call("POST", f"{prefix}/snapshots/a/validate?strict=1", expected,
                        Content_Type="application/json")
    same("a problem", (answer.status, json.loads(answer.data)["code"]), (409, "not_valid"))
    answer = proxy.call("DELETE", f"{prefix}/snapshots/b", If_Match='"none"')
    same("guarded", answer.status, 412)
    same("deleted", proxy.call("DELETE", f"{prefix}/snapshots/b").status, 204)
    same("gone", proxy.call("GET", f"{prefix}/snapshots/b").status, 404)


def upload_pieces(service, name, state):
    """A multipart body, of which the second half is not sent before the first is on disk."""
    yield (b'--x\r\nContent-Disposition: form-data; name="snapshot"\r\n\r\n'
           + json.dumps(creation(service, name)).encode()
           + b'\r\n--x\r\nContent-Disposition: form-data; name="state"\r\n\r\n')
    half = len(state) // 2
    yield state[:half]
    wait_for("the first half on disk", lambda: service.staged() > half - (4 << 20))
    yield state[half:]
    yield b"\r\n--x--\r\n"


def check_streaming(proxy, service, prefix):
    state = bytes(range(256)) * (UPLOAD // 256)
    answer = proxy.call("POST", f"{prefix}/snapshots", upload_pieces(service, "large", state),
                        Content_Type="multipart/form-data; boundary=x", X_Request_Id="upload")
    same("uploaded", answer.status, 201)
    line = service.request("upload")
    check("bytes in", line["bytes_in"] > UPLOAD, line)
    path = f"{prefix}/snapshots/large/state"
    check("the same comes back", proxy.call("GET", path).data == state)
    part = proxy.call("GET", path, Range="bytes=33554430-33554433")
    same("a range", (part.status, part.data), (206, state[33554430:33554434]))
    same("its range", part.headers["Content-Range"], f"bytes 33554430-33554433/{UPLOAD}")
    head = proxy.call("HEAD", path)
    same("its length", (head.data, head.headers["Content-Length"]), (b"", str(UPLOAD)))


def read_block(answer):
    """The next block of a stream of events, as its fields."""
    fields = {}
    while line := answer.readline().decode().rstrip("\n"):
        name, _, fields[name] = line.partition(": ")
    return fields


def check_events(proxy, service, prefix):
    """An event is passed on when it happens, though the answer goes on."""
    connection = http.client.HTTPConnection(NAME, proxy.port)
    connection.sock = proxy.connect()
    connection.request("GET", f"{prefix}/events", headers={"X-Request-Id": "stream"})
    answer = connection.getresponse()
    same("a stream", (answer.status, answer.headers["Content-Type"]), (200, "text/event-stream"))
    check("it begins with a position", read_block(answer).keys() == {"id"})
    for name in ("told", "told-too"):
        same("created", create(proxy, service, prefix, name).status, 201)
        block = read_block(answer)
        same("the event", (block["event"], json.loads(block["data"])["id"]), ("created", name))
    connection.close()
    again = http.client.HTTPConnection(NAME, proxy.port)
    again.sock = proxy.connect()
    again.request("GET", f"{prefix}/events", headers={"Last-Event-ID": "unknown"})
    same("a reset", read_block(again.getresponse())["event"], "reset")
    again.close()


def check_client(proxy, service, prefix):
    """What the client sends does not pass for the proxy's."""
    forged = {"X_Forwarded_For": "6.6.6.6", "X_Forwarded_Proto": "http",
              "X_Forwarded_Host": "evil.example", "X_Forwarded_Prefix": "/evil",
              "Forwarded": "for=6.6.6.6;host=evil.example;proto=http"}
    answer = create(proxy, service, prefix, "c", X_Request_Id="forged", **forged)
    same("Location", answer.headers["Location"], f"{prefix}/snapshots/c")
    same("client", service.request("forged")["client"], CLIENT)
    page = proxy.call("GET", f"{prefix}/snapshots?limit=1", **forged)
    same("Link", page.headers["Link"].split("?")[0], f"<https://{NAME}:{proxy.port}{prefix}/snapshots")
    same("clients", {line["client"] for line in service.requests()}, {CLIENT})


HIDDEN = b"GET %(prefix)s/smuggled HTTP/1.1\r\nHost: vms.example\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + HIDDEN
POST = b"POST %(prefix)s/snapshots/a/validate HTTP/1.1\r\nHost: vms.example\r\nX-Request-Id: %(id)s\r\n" \
       b"Content-Type: application/json\r\n"

# A second request that only one of proxy and service would see.
SHAPES = [
    b"Content-Length: %(len)d\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    b"Transfer-Encoding: chunked\r\nContent-Length: %(len)d\r\n\r\n" + CHUNKED,
    b"Content-Length: %(len)d\r\nTransfer-Encoding: xchunked\r\n\r\n" + CHUNKED,
    b"Content-Length: %(len)d\r\nTransfer-Encoding : chunked\r\n\r\n" + CHUNKED,
    b"Content-Length: %(len)d\r\nTransfer-Encoding:\tchunked\r\n\r\n" + CHUNKED,
    b"Content-Length: %(len)d\r\nTransfer-Encoding:\x0bchunked\r\n\r\n" + CHUNKED,
    b"Content-Length: %(len)d\r\n Transfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    b"Content-Length: %(len)d\r\nTransfer_Encoding: chunked\r\n\r\n" + CHUNKED,
    b"Content-Length: %(len)d\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    b"Content-Length: %(len)d\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + CHUNKED,
    b"Content-Length: %(len)d\r\nTransfer-Encoding: identity, chunked\r\n\r\n" + CHUNKED,
    b"Content-Length: 0\r\nContent-Length: %(len)d\r\n\r\n" + HIDDEN,
    b"Content-Length: %(len)d\r\nContent-Length: 0\r\n\r\n" + HIDDEN,
    b"Content-Length: %(len)d, 0\r\n\r\n" + HIDDEN,
    b"Content-Length: +%(len)d\r\n\r\n" + HIDDEN,
    b"Content-Length: 0x%(len)d\r\n\r\n" + HIDDEN,
    b"Transfer-Encoding: chunked\r\n\r\n%(len)x;x=\"\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n%(len)x\n" + HIDDEN + b"\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1%(len)016x\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
    b"Expect: 100-continue\r\nContent-Length: %(len)d\r\n\r\n" + HIDDEN,
]


def fill(shape, prefix, request_id):
    values = {b"prefix": prefix.encode(), b"id": request_id.encode(), b"len": 0}
    body = len(shape.split(b"\r\n\r\n", 1)[1] % values)
    inner = len(HIDDEN % values)
    return (POST + b"Connection: close\r\n" + shape) % {
        **values, b"len": inner if b"%(len)" in shape.split(b"\r\n\r\n", 1)[1] else body}


def check_smuggling(proxy, service, prefix):
    """A request that is hidden in another's body is seen by nobody, and whatever the proxy makes of
    it, the next one on its connections gets its own answer."""
    for number, shape in enumerate(SHAPES):
        answer = proxy.raw(fill(shape, prefix, f"shape-{number}"))
        finals = re.findall(rb"^HTTP/1\.[01] [2-5]", answer, re.M)
        check(f"shape {number} is answered once at most", len(finals) <= 1, answer)
        after = create(proxy, service, prefix, "a", X_Request_Id=f"after-{number}")
        same(f"after shape {number}", after.status, 200)
        service.request(f"after-{number}")
    hidden = [line for line in service.requests() if "smuggled" in line.get("path", "")]
    same("requests that were hidden", hidden, [])


def check_paths(proxy, service, prefix):
    """A target arrives as it was sent."""
    for number, path in enumerate(["/snapshots/a%2Fmanifest", "/snapshots/%61/manifest",
                                   "/snapshots/a/../a/manifest", "/snapshots//a"]):
        answer = proxy.call("GET", prefix + path, X_Request_Id=f"path-{number}")
        line = service.request(f"path-{number}")
        same("path", line["path"], prefix + path)
        same("status", line["status"], answer.status)


def check_pairing(proxy, service, prefix):
    """Requests of several clients on the proxy's connections keep their answers."""
    connections = []
    for number in range(8):
        connection = http.client.HTTPConnection(NAME, proxy.port)
        connection.sock = proxy.connect()
        connection.request("GET", f"{prefix}/healthz", headers={"X-Request-Id": f"pair-{number}"})
        connections.append(connection)
    for number, connection in enumerate(connections):
        answer = connection.getresponse()
        answer.read()
        same("answer", answer.headers["X-Request-Id"], f"pair-{number}")
        connection.close()


def check_all(proxy, service, prefix):
    check_main_job(proxy, service, prefix)
    check_streaming(proxy, service, prefix)
    check_events(proxy, service, prefix)
    check_client(proxy, service, prefix)
    check_pairing(proxy, service, prefix)
    check_smuggling(proxy, service, prefix)


def nginx(home, port, upstream, *changes):
    config = replaced((ROOT / "docker/nginx.conf").read_text(),
                      ("/run/nginx.pid", f"{home}/nginx.pid"),
                      ("/etc/nginx/tls/", f"{home}/"),
                      ("server 127.0.0.1:8080;", f"server {upstream};"),
                      ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
                      ("http {", "http {" + "".join(f"{each}_temp_path {home}/{each};" for each in (
                          "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))), *changes)
    (home / "nginx.conf").write_text(config)
    return ["nginx", "-p", home, "-c", home / "nginx.conf", "-g", "daemon off;"]


def caddy(home, port, upstream, *changes):
    config = replaced((ROOT / "docker/Caddyfile").read_text(),
                      ("/etc/caddy/tls/", f"{home}/"), ("127.0.0.1:8080 {", f"{upstream} {{"),
                      ("\nvms.example {", "\n{\n\tadmin off\n\tauto_https disable_redirects\n"
                       f"\tstorage file_system {home}/caddy\n}}\n{NAME}:{port} {{\n\tbind 127.0.0.1"),
                      *changes)
    (home / "Caddyfile").write_text(config)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", home / "Caddyfile"]


def haproxy(home, port, upstream, *changes):
    config = replaced((ROOT / "docker/haproxy.cfg").read_text(),
                      ("/etc/haproxy/tls/", f"{home}/"), ("bind :443", f"bind 127.0.0.1:{port}"),
                      ("server local 127.0.0.1:8080", f"server local {upstream}"), *changes)
    (home / "haproxy.cfg").write_text(config)
    return ["haproxy", "-db", "-f", home / "haproxy.cfg"]


def make_certificate(home):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "1", "-subj", f"/CN={NAME}", "-addext",
                    f"subjectAltName=DNS:{NAME}", "-keyout", home / "key.pem", "-out",
                    home / "cert.pem"], check=True, capture_output=True)
    (home / "both.pem").write_text((home / "cert.pem").read_text() + (home / "key.pem").read_text())


def try_proxy(make, how, prefix, options, changes, checks):
    with tempfile.TemporaryDirectory(prefix="vmsnapd-proxy.") as directory:
        home = Path(directory)
        home.chmod(0o755)  # a proxy that gives up being root must reach the socket
        make_certificate(home)
        service = Service(home, *options)
        with running(service.arguments, service.log):
            upstream = how.format(socket=service.socket, address=service.address())
            proxy = Proxy(free_port(), home / "cert.pem", prefix)
            arguments = make(home, proxy.port, upstream, *changes)
            with running(arguments, home / "proxy.log", cwd=home, env={"HOME": directory, "PATH":
                         "/usr/sbin:/usr/bin:/sbin:/bin"}) as process:
                wait_for(f"{make.__name__} is up", lambda: proxy.is_up() or process.poll() is not None)
                check(f"{make.__name__} runs", process.poll() is None, (home / "proxy.log").read_text())
                for each in checks:
                    each(proxy, service, prefix)


UNDER_A_PATH = ("location / {", "location /vms/ {")
STRIPPING = ("proxy_pass http://vmsnapd;", "proxy_pass http://vmsnapd/;")
TELLING = ('proxy_set_header X-Forwarded-Prefix "";', "proxy_set_header X-Forwarded-Prefix /vms;")


def main():
    missing = [each for each in ("nginx", "caddy", "haproxy", "openssl") if not shutil.which(each)]
    if missing:
        print(f"SKIPPED: the proxies, for want of {', '.join(missing)}", file=sys.stderr)
        return 77
    everything = [check_all, check_paths]
    few = [check_main_job, check_client]
    try_proxy(nginx, "{address}", "", [], [], everything)
    try_proxy(nginx, "unix:{socket}", "/vms", ["--base-path", "/vms"], [UNDER_A_PATH], everything)
    try_proxy(nginx, "{address}", "/vms", [], [UNDER_A_PATH, STRIPPING, TELLING], few)
    try_proxy(nginx, "{address}", "/vms", ["--base-path", "/vms"], [UNDER_A_PATH, STRIPPING], few)
    try_proxy(caddy, "{address}", "", [], [], [check_all])
    try_proxy(caddy, "unix/{socket}", "", [], [], few)
    try_proxy(haproxy, "{address}", "", [], [], everything)
    try_proxy(haproxy, "unix@{socket}", "", [], [], few)
    print(f"proxies: {passed} passed")
    return 0


sys.exit(main())

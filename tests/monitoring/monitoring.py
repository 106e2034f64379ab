#!/usr/bin/python3
"""The metrics as Prometheus sees them, and what docker/ makes of them: monitoring.py PROGRAM

Both formats pass the parsers and linters there are, and have the same series. The alerts pass their
unit tests (alerts.yml). A Prometheus of this machine scrapes the program by the example's
configuration, of which only addresses, paths and intervals are changed; then each panel of the
dashboard has data, and each series that an alert looks at is there. Needs prometheus and Python's
prometheus_client; exits with 77, saying so, where one is missing."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
sys.path.insert(0, str(ROOT / "tests/contract"))

from program import Client, Program  # noqa: E402

PATIENCE_S = 60
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
NAME = re.compile(r"\b(?:vmsnapd|process)_\w+")
SELECTOR = re.compile(r"\b((?:up|vmsnapd_\w+|process_\w+)(?:\{[^}]*\})?)")

passed = 0


def check(what, good, detail=""):
    global passed
    if not good:
        sys.exit(f"{what}: {detail}")
    passed += 1


def run(what, *command, text=None):
    done = subprocess.run(list(map(str, command)), input=text, capture_output=True, text=True, check=False)
    check(what, done.returncode == 0, done.stdout + done.stderr)


def wait_for(what, find):
    """What find() returns, once that is something; find() may add a reason why not to a list."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := find(why := [])):
        check(what, time.monotonic() < deadline, f"not within {PATIENCE_S} s: {why[:3]}")
        time.sleep(0.05)
    return found


def replaced(text, *pairs):
    """Each of them must be there: an example that changes must not go untested."""
    for old, new in pairs:
        check(f"{old} is in the example", old in text)
        text = text.replace(old, str(new))
    return text


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_token(program, home):
    """As README.md says to, but that it may write: the file for the program, and that for Prometheus."""
    made = subprocess.run([program, "token", "prometheus", "write"], capture_output=True, text=True,
                          check=True)
    (home / "tokens").write_text(made.stdout)
    (home / "prometheus.token").write_text(made.stderr)
    return made.stderr.strip()


class Service:
    """The program, as a client that has a token sees it."""

    def __init__(self, program, client, token):
        self.program, self.client, self.token = program, client, token

    def call(self, method, target, body=None, **headers):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        return self.client.call(method, target, headers.items(), body and json.dumps(body).encode())

    def metrics(self, **headers):
        answer = self.call("GET", "/metrics", **headers)
        check("metrics are answered", answer.status == 200, answer.status)
        return answer.body.decode()

    def do_the_main_job(self):
        creation = {"id": "a", "memory_file_path": str(self.program.memory), "capture": "copy",
                    "openvmm_version": "0.0.0", "vp_count": 2, "architecture": "x86_64"}
        check("a snapshot is made", self.call("POST", "/snapshots", creation).status == 201)
        check("it is read", self.call("GET", "/snapshots/a/manifest").status == 200)
        check("another is missed", self.call("GET", "/snapshots/b").status == 404)


def check_formats(service, parsers):
    """They are counted from the start on."""
    wait_for("snapshots are counted", lambda _: "vmsnapd_snapshots{" in service.metrics())
    service.metrics(Accept=OPENMETRICS)
    plain, opened = service.metrics(), service.metrics(Accept=OPENMETRICS)
    run("promtool finds nothing to say", "promtool", "check", "metrics", text=plain)
    series = [{(sample.name, *sorted(sample.labels.items())) for family in parse(text)
               for sample in family.samples} for parse, text in zip(parsers, (plain, opened))]
    check("both formats have the same series", series[0] == series[1], series[0] ^ series[1])
    check("they are many", len(series[0]) > 100, len(series[0]))
    return plain


def list_names(text):
    names = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M):
        names |= {name} if kind != "histogram" else {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return names


def read_rules():
    groups = yaml.safe_load((DOCKER / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def read_panels():
    dashboard = json.loads((DOCKER / "grafana/dashboards/vmsnapd.json").read_text())
    panels = dashboard["panels"]
    check("panels have ids of their own", len({panel["id"] for panel in panels}) == len(panels))
    cells = [(x, y) for place in (panel["gridPos"] for panel in panels)
             for x in range(place["x"], place["x"] + place["w"])
             for y in range(place["y"], place["y"] + place["h"])]
    check("panels do not overlap", len(set(cells)) == len(cells))
    check("panels fit the width", max(x for x, _ in cells) < 24)
    return [(panel["title"], target) for panel in panels for target in panel.get("targets", [])]


def check_names(known, rules, panels):
    for what, expression in [*rules.items(), *((title, target["expr"]) for title, target in panels)]:
        unknown = set(NAME.findall(expression)) - known
        check(f"{what} looks at metrics that there are", not unknown, unknown)
    shown = {name for _, target in panels for name in NAME.findall(target["expr"])}
    unseen = {name for name in known - shown if not name.endswith(("_sum", "_count"))}
    check("the dashboard shows all metrics", not unseen, unseen)


def check_alert_tests(rules):
    tests = yaml.safe_load((ROOT / "tests/monitoring/alerts.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    fires, rests = ({case["alertname"] for case in cases if bool(case["exp_alerts"]) is fired}
                    for fired in (True, False))
    check("each alert is tested to fire, and to rest", set(rules) == fires == rests,
          set(rules) ^ (fires & rests))
    run("the alerts pass their tests", "promtool", "test", "rules", ROOT / "tests/monitoring/alerts.yml")


class Prometheus:
    """To be used in a `with`."""

    def __init__(self, home, url):
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}/api/v1/"
        config = home / "prometheus.yml"
        config.write_text(replaced((DOCKER / "prometheus.yml").read_text(),
                                   ("/etc/vmsnapd/prometheus.token", home / "prometheus.token"),
                                   ("127.0.0.1:8080", url.removeprefix("http://")),
                                   ("15s", "1s")))
        shutil.copy(DOCKER / "alerts.yml", home)
        run("promtool takes the configuration", "promtool", "check", "config", config)
        self.log = (home / "log").open("w+")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={home}/data", "--log.level=warn",
             f"--web.listen-address={address}"], stdout=self.log, stderr=self.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()

    def ask(self, path, **parameters):
        """The data; None while it has yet to start."""
        if self.process.poll() is not None:
            self.log.seek(0)
            sys.exit(f"prometheus ended: {self.log.read()}")
        try:
            with urllib.request.urlopen(self.url + path + "?" + urllib.parse.urlencode(parameters)) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return None
            sys.exit(f"{parameters}: {error.read().decode()}")
        except urllib.error.URLError:
            return None

    def query(self, expression):
        found = self.ask("query", query=expression)
        return found and found["result"]


def expand(expression):
    """As Grafana would, for all instances; what is shown only where it happens is taken to happen."""
    return re.sub(r" > 0$", "", expression.replace("$__rate_interval", "1m").replace("$instance", ".*"))


def is_scraped(prometheus, why):
    """As OpenMetrics: the other format has no units."""
    targets = (prometheus.ask("targets") or {}).get("activeTargets", [])
    why += [target["lastError"] for target in targets]
    known = prometheus.ask("targets/metadata", metric="vmsnapd_request_duration_seconds")
    return known and known[0]["unit"] == "seconds" and all(target["health"] == "up" for target in targets)


def check_panel(title, target, prometheus):
    expression = expand(target["expr"])
    found = wait_for(f"{title}: {expression} has data", lambda _: prometheus.query(expression))
    for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
        check(f"{title} has the label {label}", all(label in series["metric"] for series in found), found[:1])


def check_rules(rules, prometheus):
    def judge(why):
        groups = (prometheus.ask("rules") or {}).get("groups", [])
        found = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
        why.append(found)
        return set(found) == set(rules) and set(found.values()) == {"ok"}

    wait_for("Prometheus evaluates the alerts", judge)
    for name, expression in rules.items():
        for selector in SELECTOR.findall(expression):
            wait_for(f"{name}: {selector} is there", lambda _, wanted=selector: prometheus.query(wanted))
    firing = prometheus.query('ALERTS{alertstate="firing"}')
    check("nothing is wrong", not firing, firing)


def check_all(program, home, parsers):
    token = make_token(program, home)
    rules, panels = read_rules(), read_panels()
    check_alert_tests(rules)
    with Program(program, "--token-file", home / "tokens") as running, Client(running.url) as client:
        service = Service(running, client, token)
        service.do_the_main_job()
        check_names(list_names(check_formats(service, parsers)), rules, panels)
        with Prometheus(home, running.url) as prometheus:
            wait_for("Prometheus scrapes it", lambda why: is_scraped(prometheus, why))
            for title, target in panels:
                check_panel(title, target, prometheus)
            check_rules(rules, prometheus)
    check("the program ends well", running.ended_well)


def find_parsers():
    with contextlib.suppress(ImportError):
        from prometheus_client import parser
        from prometheus_client.openmetrics import parser as strict
        return parser.text_string_to_metric_families, strict.text_string_to_metric_families
    return None


available = find_parsers()
if not available or not shutil.which("prometheus") or not shutil.which("promtool"):
    print("SKIPPED: the metrics in Prometheus, for want of prometheus or python3-prometheus-client",
          file=sys.stderr)
    sys.exit(77)
with tempfile.TemporaryDirectory() as directory:
    check_all(sys.argv[1], Path(directory), available)
print(f"{passed} passed")

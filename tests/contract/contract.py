#!/usr/bin/python3
"""Tables of the code against the documents they imply: contract.py PROGRAM

Routes, their scopes and query parameters, and error codes with their statuses and titles against
openapi.yaml, every example there against its schema, what the program answers against both, and every setting
and metric against README.md. Prints what differs; needs Debian's python3-yaml and python3-jsonschema."""

import json
import re
import subprocess
import sys

from document import ROOT, Document
from judge import Judge
from program import Client, Program

document = Document()
api = document.api
resolve = document.resolve
failures = []
passed = 0


def check(what, good, detail=""):
    global passed
    passed += bool(good)
    if not good:
        failures.append(f"{what}: {detail}")


def same(what, code, document):
    check(what, code == document,
          f"only in the code: {sorted(code - document)}; only in the document: {sorted(document - code)}")


def check_routes():
    rows = re.findall(r'\{(GET|POST|PUT|PATCH|DELETE),\s+"([^"]+)",\s+[\w]+,\s+[\w]+,\s+"(\w+)",'
                      r'\s+SCOPE_(\w+),\s+\w+,\s+"([^"]*)"', (ROOT / "api/routes.c").read_text())
    check("routes.c can be read", len(rows) >= 11, f"{len(rows)} rows")
    code, written = set(), set()
    for method, path, operation, scope, query in rows:
        code |= {(method.lower(), path, operation), (operation, "scope", scope.lower())}
        code |= {(operation, "query", name.rstrip("+")) for name in query.split()}
    for method, path, operation, shared in document.operations():
        name = operation["operationId"]
        needed = {scope for way in operation.get("security", api["security"]) for scope in way}
        written |= {(method, path, name), (name, "scope", ",".join(needed) or "none")}
        for parameter in map(resolve, shared + operation.get("parameters", [])):
            if parameter["in"] == "query":
                written |= {(name, "query", parameter["name"])}
    same("routes and query parameters", code, written)


def check_codes():
    slugs = dict(re.findall(r'X\((ERR_\w+), "(\w+)"\)', (ROOT / "base/error.h").read_text()))
    del slugs["ERR_NONE"]
    problem = api["components"]["schemas"]["Problem"]
    same("problem codes", set(slugs.values()), set(resolve(problem["properties"]["code"])["enum"]))
    rows = re.findall(r'\{(\d+), "([^"]+)"\s*\}, /\* (ERR_\w+)', (ROOT / "api/problem.c").read_text())
    code = {(slugs[name], int(status), title) for status, title, name in rows if name in slugs}
    shown = {(node["code"], node["status"], node["title"]) for node in walk(api)
             if isinstance(node, dict) and isinstance(node.get("code"), str) and "title" in node}
    same("problem codes shown in an example, with status and title", code, shown)


def walk(node):
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(child)


def check_fields():
    """Members of requests are those of the tables in codec/."""
    def members(name):
        schema = resolve(api["components"]["schemas"][name])
        return set(schema["properties"])

    def rows(file, struct):
        text = (ROOT / "codec" / file).read_text()
        return (set(re.findall(r"FIELD\(%s, (\w+)," % struct, text))
                | set(re.findall(r'FIELD_AS\("(\w+)", %s,' % struct, text))
                | set(re.findall(r'KEEP_FIELD\("(\w+)",', text))
                | set(re.findall(r'\{\.name = "(\w+)"', text)))

    same("members of a creation", rows("creation.c", "creation"), members("CreationRequest"))
    same("members of a patch", rows("patch.c", "patch"), members("Patch"))
    same("members of expectations", rows("expectation.c", "expectation"), members("Expectations"))
    listed = {resolve(one)["name"] for one in api["paths"]["/snapshots"]["get"]["parameters"]}
    same("filters of a list", rows("filter.c", "snapshot_filter"),
         listed - {"limit", "cursor", "sort", "total", "include"})
    same("members of a filter", rows("filter.c", "snapshot_filter"), members("SnapshotFilter"))
    same("members of a policy", rows("retention.c", "retention_policy") - {"token"},
         members("RetentionPolicy"))
    same("members of a manifest", rows("manifest_json.c", "manifest"), members("Manifest"))


def check_example(what, schema, value):
    check(what, not (faults := document.faults(schema, value)), "; ".join(faults)[:600])


def examples(content):
    if "example" in content:
        yield "example", content["example"]
    for name, example in content.get("examples", {}).items():
        yield name, resolve(example)["value"]


def check_contents(what, contents):
    for kind, content in contents.items():
        shown = list(examples(content))
        check(f"{what} {kind} has an example", shown, "none")
        for name, value in shown:
            check_example(f"{what} {kind} {name}", content["schema"], value)
            if kind == "application/problem+json":
                check(f"{what} {name} has the answer's status", what.endswith(str(value["status"])),
                      value["status"])


def check_examples():
    for method, path, operation, _ in document.operations():
        what = f"{method} {path}"
        check_contents(f"{what} request", resolve(operation.get("requestBody", {})).get("content", {}))
        for status, answer in operation["responses"].items():
            answer = resolve(answer)
            check_contents(f"{what} {status}", answer.get("content", {}))
            check(f"{what} {status} has X-Request-Id", "X-Request-Id" in answer.get("headers", {}))


def check_named_examples():
    """Of parameters and headers."""
    for group in ("parameters", "headers"):
        for name, one in api["components"][group].items():
            check_example(f"{group} {name}", one["schema"], one["example"])


def check_settings(program):
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    help_rows = {(" ".join(m.group(1).split()), m.group(2) or "") for m in
                 re.finditer(r"^  (--\S+(?: [A-Z:]+)?)  +[^\n]*?(?:\[([^\]]*)\])?$", shown, re.M)}
    readme = (ROOT / "README.md").read_text()
    readme_rows = {(m.group(1), m.group(2) or "") for m in
                   re.finditer(r"^\| `(--[^`]+)` \| (?:`([^`]*)`)? ?\|", readme, re.M)}
    check("--help can be read", len(help_rows) >= 10, shown)
    same("settings and their defaults", help_rows, readme_rows)
    check("--help fits 80 columns", max(map(len, shown.splitlines())) <= 80, shown)


def check_metrics():
    """Names, labels and the statuses that can be counted."""
    text = (ROOT / "base/metrics.c").read_text()
    ids, spellings = ((ROOT / file).read_text().partition(begin)[2].partition("}")[0] for file, begin in
                      (("base/metrics.h", "enum metric_label"),
                       ("codec/metrics_text.c", "label_names[LABEL__COUNT]")))
    names = dict(zip(re.findall(r"LABEL_\w+", ids), re.findall(r'NULL|"\w+"', spellings)))
    code = {name + ",".join(names[label].strip('"') for label in labels.split(", ") if names[label] != "NULL")
            for name, labels in re.findall(r'\{METRIC_\w+, "(\w+)", \w+, \w+, \{([\w, ]+)\}', text)}
    check("metrics.c can be read", len(code) >= 30, code)
    written = {name + labels for name, labels in
               re.findall(r"`((?:vmsnapd|process)_\w+)(?:\{([\w,]+)\})?`", (ROOT / "README.md").read_text())}
    same("metrics and their labels", code, written)
    table = re.search(r"statuses\[\] = \{(.*?)\}", text, re.S).group(1)
    answered = {int(status) for _, _, operation, _ in document.operations()
                for status in operation["responses"]}
    check("every status is counted by itself", answered <= set(map(int, re.findall(r"\d+", table))), answered)


def check_answers(program):
    """What the program answers fits the document, and between the answers every member is seen."""
    creation = {"id": "a", "openvmm_version": "0.0.0", "vp_count": 2, "architecture": "x86_64",
                "labels": {"vm": "a"}, "vmm_args": [], "state_base64": "CgA="}
    calls = [
        ("POST", "/snapshots", creation),
        ("POST", "/snapshots", creation | {"id": ".", "colour": 1}),
        ("GET", "/snapshots?include=live&total=1", None),
        ("GET", "/snapshots/a?include=live", None),
        ("PUT", "/snapshots/a", creation),
        ("GET", "/snapshots/a/manifest", None),
        ("POST", "/snapshots/a/validate", {"vp_count": 3, "state_units": ["rtc"]}),
        ("POST", "/snapshots/a/validate?strict=1", {"architecture": "aarch64"}),
        ("GET", "/snapshots/a/state/units", None),
        ("GET", "/snapshots/a/state?colour=1", None),
        ("GET", "/healthz", None),
        ("GET", "/readyz", None),
    ]
    judge, seen = Judge(document), {}
    with Program(program) as running, Client(running.url) as client:
        for method, target, body in calls:
            if body and "openvmm_version" in body:
                body = body | {"memory_file_path": str(running.memory)}
            exchange = client.call(method, target, [("Content-Type", "application/json")] if body else [],
                                   json.dumps(body).encode() if body else None)
            check(exchange, not (complaints := judge.complaints(exchange)), "; ".join(complaints))
            schema = judge.schema(exchange)
            seen.setdefault(json.dumps(schema), set()).update(json.loads(exchange.body))
    check("the program ends well", running.ended_well)
    for schema, members in seen.items():
        properties = set(resolve(json.loads(schema)).get("properties", {}))
        if properties:
            same(f"members of {schema}", members, properties)


check_routes()
check_codes()
check_fields()
check_examples()
check_named_examples()
check_settings(sys.argv[1])
check_metrics()
check_answers(sys.argv[1])
print(*failures, sep="\n")
print(f"{passed} passed, {len(failures)} failed")
sys.exit(bool(failures))

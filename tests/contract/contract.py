#!/usr/bin/python3
"""Tables of the code against the documents they imply: contract.py PROGRAM

Routes, their scopes and query parameters, and error codes with their statuses and titles against openapi.yaml, every
example there against its schema, what the program answers against both, and every setting against
README.md. Prints what differs; needs Debian's python3-yaml and python3-jsonschema."""

import json
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("get", "post", "put", "patch", "delete")

api = yaml.safe_load((ROOT / "openapi.yaml").read_text())
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


def resolve(node):
    while isinstance(node, dict) and "$ref" in node:
        target = api
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def operations():
    for path, item in api["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method], item.get("parameters", [])


def check_routes():
    rows = re.findall(r'\{(GET|POST|PUT|PATCH|DELETE),\s+"([^"]+)",\s+[\w]+,\s+[\w]+,\s+"(\w+)",'
                      r'\s+SCOPE_(\w+),\s+\w+,\s+"([^"]*)"', (ROOT / "api/routes.c").read_text())
    check("routes.c can be read", len(rows) >= 11, f"{len(rows)} rows")
    code, document = set(), set()
    for method, path, operation, scope, query in rows:
        code |= {(method.lower(), path, operation), (operation, "scope", scope.lower())}
        code |= {(operation, "query", name) for name in query.split()}
    for method, path, operation, shared in operations():
        name = operation["operationId"]
        needed = {scope for way in operation.get("security", api["security"])
                  for scopes in way.values() for scope in scopes}
        document |= {(method, path, name), (name, "scope", ",".join(needed) or "none")}
        for parameter in map(resolve, shared + operation.get("parameters", [])):
            if parameter["in"] == "query":
                document |= {(name, "query", parameter["name"])}
    same("routes and query parameters", code, document)


def check_codes():
    slugs = dict(re.findall(r'X\((ERR_\w+), "(\w+)"\)', (ROOT / "base/error.h").read_text()))
    del slugs["ERR_NONE"]
    problem = api["components"]["schemas"]["Problem"]
    same("problem codes", set(slugs.values()), set(resolve(problem["properties"]["code"])["enum"]))
    rows = re.findall(r'\{(\d+), "([^"]+)"\s*\}, /\* (ERR_\w+)', (ROOT / "api/problem.c").read_text())
    code = {(slugs[name], int(status), title) for status, title, name in rows if name in slugs}
    shown = {(node["code"], node["status"], node["title"]) for node in walk(api)
             if isinstance(node, dict) and isinstance(node.get("code"), str) and "detail" in node}
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
                | set(re.findall(r'\{\.name = "(\w+)"', text)))

    same("members of a creation", rows("creation.c", "creation"), members("CreationRequest"))
    same("members of expectations", rows("expectation.c", "expectation"), members("Expectations"))
    same("members of a manifest", rows("manifest_json.c", "manifest"), members("Manifest"))


def check_example(what, schema, value):
    validator = jsonschema.Draft202012Validator({**schema, "components": api["components"]})
    errors = [f"{list(error.path)} {error.message}" for error in validator.iter_errors(value)]
    check(what, not errors, "; ".join(errors)[:600])


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
    for method, path, operation, _ in operations():
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
    readme_rows = {(m.group(1), m.group(2) or "") for m in
                   re.finditer(r"^\| `(--[^`]+)` \| (?:`([^`]*)`)? ?\|", (ROOT / "README.md").read_text(), re.M)}
    check("--help can be read", len(help_rows) >= 10, shown)
    same("settings and their defaults", help_rows, readme_rows)
    check("--help fits 80 columns", max(map(len, shown.splitlines())) <= 80, shown)


class Program:
    """The program on a store of its own, with one memory file to capture."""

    def __init__(self, program, home):
        self.memory = Path(home) / "memory.bin"
        self.memory.write_bytes(bytes(4096))
        self.process = subprocess.Popen(
            [program, "--store", f"{home}/store", "--memory-root", home, "--listen", "127.0.0.1:0"],
            stderr=subprocess.PIPE, text=True)
        log = iter(self.process.stderr.readline, "")
        self.url = next(line for line in log if "listening" in line).split("address=")[1].strip()

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"} if body else {})
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.headers.get_content_type(), json.loads(answer.read())


def check_answers(program):
    """What the program answers fits the document, and between the answers every member is seen."""
    creation = {"id": "a", "memory_file_path": "", "openvmm_version": "0.0.0", "vp_count": 2,
                "architecture": "x86_64", "labels": {"vm": "a"}, "vmm_args": [],
                "state_base64": "CgA="}
    calls = [
        ("post", "/snapshots", "", creation),
        ("post", "/snapshots", "", creation | {"id": ".", "colour": 1}),
        ("get", "/snapshots", "?include=live", None),
        ("get", "/snapshots/{id}", "?include=live", None),
        ("put", "/snapshots/{id}", "", creation),
        ("get", "/snapshots/{id}/manifest", "", None),
        ("post", "/snapshots/{id}/validate", "", {"vp_count": 3, "state_units": ["rtc"]}),
        ("post", "/snapshots/{id}/validate", "?strict=1", {"architecture": "aarch64"}),
        ("get", "/snapshots/{id}/state/units", "", None),
        ("get", "/snapshots/{id}/state", "?colour=1", None),
        ("get", "/healthz", "", None),
    ]
    seen = {}
    with tempfile.TemporaryDirectory() as home:
        running = Program(program, home)
        creation["memory_file_path"] = calls[1][3]["memory_file_path"] = str(running.memory)
        for method, path, query, body in calls:
            status, kind, answer = running.call(method.upper(), path.replace("{id}", "a") + query, body)
            documented = resolve(api["paths"][path][method]["responses"].get(str(status), {}))
            schema = documented.get("content", {}).get(kind, {}).get("schema")
            check(f"{method} {path} {status} {kind} is documented", schema)
            check_example(f"{method} {path} {status}", schema or {}, answer)
            seen.setdefault(json.dumps(schema), set()).update(answer)
        running.process.terminate()
        check("the program ends well", running.process.wait() == 0)
        running.process.stderr.close()
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
check_answers(sys.argv[1])
print(*failures, sep="\n")
print(f"{passed} passed, {len(failures)} failed")
sys.exit(bool(failures))

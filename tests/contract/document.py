"""openapi.yaml, read: its operations, what each may answer, and which values its schemas admit."""

import json
import re
import urllib.parse
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("get", "post", "put", "patch", "delete")


class NoInteger:
    """A JSON number with a fraction or an exponent, which is of no type that the document has."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text


def unique(pairs):
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member stands twice")
    return members


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def parse_json(data):
    """Bytes to a value, as strictly as the document says; ValueError."""
    value = json.loads(data.decode(), parse_float=NoInteger, parse_constant=no_constant,
                       object_pairs_hook=unique)
    json.dumps(value, ensure_ascii=False, default=str).encode()  # half a surrogate pair is no text
    return value


def check_pattern(validator, pattern, instance, schema):
    """As in ECMA-262, whose $ is the end and not also a line feed before it."""
    if isinstance(instance, str) and not re.search(re.sub(r"(?<!\\)\$", r"\\Z", pattern), instance):
        yield jsonschema.ValidationError(f"{instance!r:.200} does not match {pattern!r:.80}")


def check_bytes(validator, most, instance, schema):
    if isinstance(instance, str) and len(instance.encode("utf-8", "surrogatepass")) > most:
        yield jsonschema.ValidationError(f"has more than {most} bytes")


def check_total_bytes(validator, most, instance, schema):
    if isinstance(instance, list):
        texts = [item for item in instance if isinstance(item, str)]
        yield from check_bytes(validator, most, "".join(texts), schema)


def check_utc_years(validator, years, instance, schema):
    """Of a time that fits the pattern: an offset may lead from year 0 into year 1, and back."""
    match = isinstance(instance, str) and re.match(
        r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d).*?(?:([+-])(\d\d):(\d\d))?[Zz]?$", instance)
    if not match:
        return
    year, month, day, hour, minute = map(int, match.groups()[:5])
    offset = int((match[6] or "+") + "1") * (int(match[7] or 0) * 60 + int(match[8] or 0))
    days = (hour * 60 + minute - offset) // 1440
    first, last = (years[0], 1, 1), (years[1], 12, 31)
    begins_early = (year, month, day, days) == (years[0] - 1, 12, 31, 1)
    if not (begins_early or first <= (year, month, day) <= last) or (
            (year, month, day, days) in ((*first, -1), (*last, 1))):
        yield jsonschema.ValidationError(f"{instance} is not within the years {years} in UTC")


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {
    "pattern": check_pattern,
    "x-max-bytes": check_bytes,
    "x-max-total-bytes": check_total_bytes,
    "x-utc-years": check_utc_years,
})


def closed(node, is_part=False):
    """The schema without members that it does not name: what clients are told to pass over, the
    service must not send. Parts of an allOf stay open, for the whole is closed."""
    if isinstance(node, list):
        return [closed(item, is_part) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: closed(value, key == "allOf") for key, value in node.items()}
    if "$ref" in out and is_part:
        out["$ref"] = out["$ref"].replace("/schemas/", "/open/")
    elif not is_part and "allOf" in out:
        out["unevaluatedProperties"] = False
    elif not is_part and isinstance(out.get("properties"), dict):
        out.setdefault("additionalProperties", False)
    return out


class Document:
    def __init__(self, path=ROOT / "openapi.yaml"):
        self.api = yaml.safe_load(path.read_text())
        schemas = self.api["components"]["schemas"]
        self.given = {"schemas": schemas}
        self.answered = {"schemas": closed(schemas), "open": schemas}
        self.validators = {}
        self.paths = [(path.split("/")[1:], item) for path, item in self.api["paths"].items()]

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.api
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def operations(self):
        """Method, path, operation, and the parameters that all of the path's share."""
        for path, item in self.api["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method, path, item[method], item.get("parameters", [])

    def parameters(self, item, operation, place):
        found = map(self.resolve, item.get("parameters", []) + operation.get("parameters", []))
        return {one["name"]: one for one in found if one["in"] == place}

    def faults(self, schema, value, is_answer=False):
        """What is wrong with a value: a list of sentences."""
        key = (json.dumps(schema, sort_keys=True), is_answer)
        if key not in self.validators:
            components = self.answered if is_answer else self.given
            whole = closed(schema) if is_answer else schema
            self.validators[key] = Validator({**whole, "components": components})
        return [f"/{'/'.join(map(str, error.absolute_path))}: {error.message:.400}"
                for error in self.validators[key].iter_errors(value)]

    def text_faults(self, schema, text):
        """The same for the value of a parameter or a header: a number or a truth, if the schema wants one."""
        if self.resolve(schema).get("type") == "boolean" and text in ("true", "false"):
            return self.faults(schema, text == "true")
        if self.resolve(schema).get("type") == "integer" and re.fullmatch(r"0|-?[1-9][0-9]*", text):
            return self.faults(schema, int(text))
        return self.faults(schema, text)

    def find(self, target):
        """The path's item, and the texts of its {names}; None where the document has no such path."""
        path = re.sub(r"^https?://[^/?]*", "", target, flags=re.I).split("?")[0]
        segments = [urllib.parse.unquote_to_bytes(segment) for segment in path.split("/")[1:]]
        for pattern, item in self.paths:
            if len(pattern) == len(segments) and all(
                    segment if part.startswith("{") else part.encode() == segment
                    for part, segment in zip(pattern, segments)):
                return item, {part[1:-1]: segment for part, segment in zip(pattern, segments)
                              if part.startswith("{")}
        return None, {}

    def operation(self, method, target):
        """The operation that takes a request, HEAD as GET; None where none does."""
        item, _ = self.find(target)
        is_known = item is not None and method.lower() in METHODS + ("head",) and method.isupper()
        return item.get("get" if method == "HEAD" else method.lower()) if is_known else None

    def responses(self, method, target):
        """What a request may be answered, by status."""
        operation = self.operation(method, target)
        if operation:
            return operation["responses"]
        return self.other_responses("options" if method == "OPTIONS" else "unrouted")

    def other_responses(self, kind):
        return self.api["x-" + kind]["responses"]


def media_type(value):
    return value.split(";")[0].strip().lower()

"""Whether an answer is one that the document has: the only place that says so."""

import email.parser
import email.policy
import urllib.parse

from document import media_type, parse_json

# What HTTP itself puts on a message.
OF_THE_PROTOCOL = {"connection", "content-length", "content-type", "date", "transfer-encoding"}


class Judge:
    def __init__(self, document):
        self.document = document
        self.documents = {}  # bodies of answers, read

    def find_answer(self, exchange):
        """Its media type, and its response in the document; None if there is none."""
        kind = media_type(exchange.header("Content-Type") or "")
        responses = self.document.responses(exchange.method, exchange.target)
        if exchange.is_of_library():
            kind, responses = "text/html", self.document.other_responses("library")
        elif exchange.is_preflight():
            responses = self.document.other_responses("preflight")
        return kind, self.document.resolve(responses.get(str(exchange.status)))

    def schema(self, exchange):
        """Of the body of an answer that is in the document."""
        kind, answer = self.find_answer(exchange)
        return answer["content"][kind]["schema"]

    def complaints(self, exchange):
        """What is wrong with an exchange: a list of sentences; none if no answer came."""
        if exchange.status == 0:
            return []
        kind, answer = self.find_answer(exchange)
        if answer is None:
            return [f"{exchange.status} {kind} is not in the document"]
        found = self.check_headers(exchange, answer) + self.check_body(exchange, answer, kind)
        if exchange.status < 300 and exchange.request_is_whole:
            found += [f"accepted though {fault}" for fault in self.request_faults(exchange)]
        return found

    def check_headers(self, exchange, answer):
        headers = {**self.document.api["x-every-answer"]["headers"], **answer.get("headers", {})}
        named = {name.lower(): (name, self.document.resolve(one)) for name, one in headers.items()}
        sent = {}
        for name, value in exchange.headers:
            sent.setdefault(name.lower(), []).append(value)
        found = [f"{name} stands twice" for name, values in sent.items()
                 if name in OF_THE_PROTOCOL and len(values) > 1]
        found += [f"the header {name} is missing" for key, (name, one) in named.items()
                  if one.get("required") and key not in sent]
        for name in sent.keys() - OF_THE_PROTOCOL:
            if name not in named:
                found.append(f"the header {name} is not in the document")
            else:
                schema = named[name][1]["schema"]
                found += [f"header {named[name][0]}: {fault}"
                          for fault in self.document.text_faults(schema, ", ".join(sent[name]))]
        return found

    def check_body(self, exchange, answer, kind):
        contents = answer.get("content", {})
        if not contents:
            return ["a body where none belongs"] * bool(exchange.body)
        if kind not in contents:
            return [f"the media type {kind!r} is not in the document"]
        if exchange.method == "HEAD":
            return ["HEAD with a body"] * bool(exchange.body)
        if not exchange.is_whole:
            return []
        length = exchange.header("Content-Length")
        if length is not None and int(length) != len(exchange.body):
            return [f"{len(exchange.body)} bytes instead of {length}"]
        if not kind.endswith("json"):
            return []
        return self.check_json(exchange, contents[kind], kind)

    def check_json(self, exchange, content, kind):
        key = (id(content), exchange.body)
        if key not in self.documents:  # many answers are the same
            self.documents[key] = self.read_document(content, exchange.body)
        value, found = self.documents[key]
        if kind == "application/problem+json" and not found:
            return self.check_problem(exchange, content, value)
        return found

    def read_document(self, content, body):
        try:
            value = parse_json(body)
        except ValueError as error:
            return None, [f"no JSON: {error}"]
        return value, self.document.faults(content["schema"], value, is_answer=True)

    def check_problem(self, exchange, content, problem):
        """The rules that no schema can say. An answer's examples are the codes that it may have."""
        shown = {self.document.resolve(example)["value"]["code"]
                 for example in content.get("examples", {}).values()}
        found = [] if problem["code"] in shown else [f"the code {problem['code']} is not shown"]
        for member, value in (("status", exchange.status),
                              ("type", f"urn:vmsnapd:problem:{problem['code']}"),
                              ("request_id", exchange.header("X-Request-Id"))):
            if problem[member] != value:
                found.append(f"{member} is {problem[member]}, not {value}")
        return found

    def request_faults(self, exchange):
        """What the document has against a request, but for what it says in words alone."""
        item, names = self.document.find(exchange.target)
        operation = self.document.operation(exchange.method, exchange.target)
        if not operation:
            return []
        return (self.path_faults(item, operation, names)
                + self.query_faults(item, operation, exchange.target)
                + self.body_faults(operation, exchange))

    def path_faults(self, item, operation, names):
        found = []
        for name, one in self.document.parameters(item, operation, "path").items():
            found += self.document.text_faults(one["schema"], names[name].decode("utf-8", "replace"))
        return found

    def query_faults(self, item, operation, target):
        named = self.document.parameters(item, operation, "query")
        pairs = [pair.partition("=") for pair in target.partition("?")[2].split("&") if pair]
        values, found = {}, []
        for name, _, value in pairs:
            values.setdefault(urllib.parse.unquote(name), []).append(urllib.parse.unquote(value))
        for name, given in values.items():
            schema = self.document.resolve(named[name]["schema"]) if name in named else None
            if schema is None:
                found.append(f"the parameter {name} is unknown")
            elif schema.get("type") == "array":
                found += [f"parameter {name}: {fault}" for fault in self.document.faults(schema, given)]
            else:
                found += [f"parameter {name}: {fault}"
                          for fault in self.document.text_faults(schema, given[0])]
                found += [f"the parameter {name} stands twice"] * (len(given) > 1)
        return found

    def body_faults(self, operation, exchange):
        contents = operation.get("requestBody", {}).get("content")
        if contents is None:
            return ["it has a body"] * bool(exchange.request_body)
        given = exchange.request_header("Content-Type") or ""
        kind = media_type(given)
        if kind not in contents:
            return [f"the document does not take {kind!r}"]
        try:
            value = (read_parts(given, exchange.request_body) if kind.startswith("multipart/")
                     else parse_json(exchange.request_body))
        except ValueError as error:
            return [f"its body cannot be read: {error}"]
        return self.document.faults(contents[kind]["schema"], value)


def read_parts(content_type, body):
    """A multipart body as the object that its schema describes; ValueError."""
    head = b"Content-Type: " + content_type.encode() + b"\r\n\r\n"
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    if message.defects:
        raise ValueError(message.defects)
    parts = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="Content-Disposition"))
        if part.get("Content-Disposition", "").split(";")[0].lower() != "form-data":
            raise ValueError("a part is no form-data")
        if part.get("Content-Transfer-Encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
            raise ValueError(f"the part {name} is encoded")
        data = part.get_payload(decode=True)
        if name in parts:
            raise ValueError(f"the part {name} stands twice")
        parts[name] = parse_json(data) if name == "snapshot" else data.decode("latin-1")
    return parts

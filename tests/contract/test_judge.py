#!/usr/bin/python3
"""The judge complains: of every answer that the document does not have, in whichever way."""

import json
import unittest

from document import Document
from exchange import Exchange, read_connection
from judge import Judge
from recorded import count_missing

ID = "5f1c8a9be07d4c32-0000000"
PROBLEM = {"type": "urn:vmsnapd:problem:not_found", "title": "Not found", "status": 404,
           "code": "not_found", "detail": "there is no snapshot a", "request_id": ID + "1"}
LIBRARY = (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 6\r\n\r\n"
           b"<html>")


def answer(status, kind, document, method="GET", target="/snapshots/a", **headers):
    body = json.dumps(document).encode()
    return Exchange(method, target, status=status, body=body,
                    headers=[("X-Request-Id", ID + "1"), ("Content-Type", kind),
                             *((name.replace("_", "-"), value) for name, value in headers.items())])


def problem(status=404, target="/snapshots/a", **changed):
    return answer(status, "application/problem+json", {**PROBLEM, **changed}, target=target)


class TestJudge(unittest.TestCase):
    judge = Judge(Document())

    def check(self, exchange, *complaints):
        found = self.judge.complaints(exchange)
        self.assertEqual(len(found), len(complaints), found)
        for text, complaint in zip(found, complaints):
            self.assertIn(complaint, text)

    def test_answers_that_the_document_has_are_right(self):
        self.check(problem())
        self.check(problem(target="/elsewhere"))
        self.check(answer(200, "application/json", {"status": "ready"}, target="/readyz",
                          Cache_Control="no-store"))
        self.check(Exchange("OPTIONS", "*", status=204,
                            headers=[("X-Request-Id", "a"), ("Allow", "GET")]))

    def test_a_status_that_the_operation_does_not_have(self):
        self.check(problem(status=418), "418 application/problem+json is not in the document")
        self.check(problem(status=507), "507")
        self.check(answer(404, "application/problem+json", PROBLEM, target="/healthz"), "404")

    def test_headers(self):
        self.check(answer(200, "application/json", {"status": "ready"}, target="/readyz"),
                   "Cache-Control is missing")
        self.check(answer(200, "application/json", {"status": "ready"}, target="/readyz",
                          Cache_Control="no-cache"), "header Cache-Control")
        self.check(answer(404, "application/problem+json", PROBLEM, X_Powered_By="C"),
                   "x-powered-by is not in the document")
        self.check(answer(404, "application/problem+json", PROBLEM, Date="a", date="b"),
                   "date stands twice")
        nameless = problem()
        del nameless.headers[0]
        self.check(nameless, "X-Request-Id is missing", "request_id is")

    def test_media_types_and_bodies(self):
        self.check(answer(404, "text/plain", PROBLEM), "media type 'text/plain'")
        self.check(problem(colour=1), "colour")
        self.check(problem(title=7), "/title")
        self.check(problem(detail=None), "/detail")
        broken = problem()
        broken.body = b'{"a":1,"a":2}'
        self.check(broken, "no JSON: a member stands twice")
        short = problem()
        short.headers.append(("Content-Length", "1"))
        self.check(short, "bytes instead of 1")
        self.check(Exchange("OPTIONS", "*", status=204, body=b"x",
                            headers=[("X-Request-Id", "a"), ("Allow", "GET")]), "a body where none")

    def test_what_a_problem_says_of_itself(self):
        self.check(problem(code="busy"), "the code busy is not shown", "type is")
        self.check(problem(status=404, request_id="other"), "request_id is other")
        self.check(answer(404, "application/problem+json", {**PROBLEM, "status": 400}),
                   "status is 400, not 404")

    def test_accepted_requests_that_the_document_forbids(self):
        def verdict(body, target="/snapshots/a/validate"):
            exchange = answer(200, "application/json", {"valid": True, "mismatches": [],
                              "warnings": [], "unchecked": []}, "POST", target)
            exchange.request_headers = [("Content-Type", "application/json")]
            exchange.request_body = body
            return exchange

        self.check(verdict(b'{"vp_count":1}'))
        self.check(verdict(b'{"vp_count":"1"}'))
        self.check(verdict(b'{"vp_count":1.0}'), "accepted though /vp_count")
        self.check(verdict(b'{"colour":1}'), "accepted though /:")
        self.check(verdict(b'{"vp_count":1,"vp_count":1}'), "a member stands twice")
        self.check(verdict(b'{"vp_count":1}', "/snapshots/a/validate?strict=2"), "parameter strict")
        self.check(verdict(b'{"vp_count":1}', "/snapshots/a/validate?colour=2"), "colour is unknown")
        self.check(verdict(b'{"vp_count":1}', "/snapshots/.a/validate"), "accepted though")

    def test_what_no_schema_can_say(self):
        def faults(schema, value):
            return self.judge.document.faults({"$ref": f"#/components/schemas/{schema}"}, value)

        for time in ("0001-01-01T01:00:00+01:00", "0000-12-31T23:00:00-01:00", "9999-12-31T22:59:59-01:00"):
            self.assertEqual(faults("TimeGiven", time), [])
        for time in ("0001-01-01T00:59:59+01:00", "0000-12-31T22:59:59-01:00", "9999-12-31T23:00:00-01:00",
                     "0000-06-01T00:00:00Z"):
            self.assertEqual(len(faults("TimeGiven", time)), 1)
        self.assertEqual(faults("SourcePath", "/" + "x" * 4094), [])
        self.assertEqual(len(faults("SourcePath", "/" + "é" * 2048)), 1)

    def test_what_the_library_answers_by_itself_has_statuses_too(self):
        sent = b"GET /healthz HTTP/1.1\r\n\r\n"
        for data, complaints in ((LIBRARY, ()), (LIBRARY.replace(b"400", b"404"), ("404",)),
                                 (LIBRARY.replace(b"close", b"keep-alive"), ("missing", "media type"))):
            found, = read_connection(sent, data)
            self.check(found, *complaints)

    def test_every_answer_on_a_connection_is_found(self):
        head = "HTTP/1.1 200 OK\r\nX-Request-Id: %s%d\r\nContent-Length: 2\r\n\r\nok"
        sent = b"GET /healthz HTTP/1.1\r\n\r\n" * 3
        found = read_connection(sent, b"".join((head % (ID, n)).encode() for n in range(2)))
        self.assertEqual([exchange.status for exchange in found], [200, 200, 0])
        self.assertRaises(ValueError, read_connection, sent, b"220 mail.example\r\n")

    def test_empty_lines_before_a_request_are_no_part_of_it(self):
        ok = b"HTTP/1.1 200 OK\r\nX-Request-Id: a\r\nContent-Length: 2\r\n\r\nok"
        sent = b"\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n\r\nGET /readyz HTTP/1.1\r\n\r\n"
        found = read_connection(sent, ok * 2)
        self.assertEqual([(exchange.target, exchange.status) for exchange in found],
                         [("/healthz", 200), ("/readyz", 200)])

    def test_exchanges_that_were_not_recorded_are_missed(self):
        seen = [Exchange(status=200, headers=[("X-Request-Id", f"{ID}{n}")]) for n in range(5)]
        self.assertEqual(count_missing(seen), 0)
        del seen[1:3]
        self.assertEqual(count_missing(seen), 2)
        self.assertEqual(count_missing([*seen, Exchange()]), 1)


unittest.main()

/* Requests that two servers could read differently, and whatever else is sent to a port that speaks
 * HTTP: raw bytes, and what comes of them with either parser that libmicrohttpd has had. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/record.h"
#include "tests/test.h"

/* Sent behind every row, on the same connection and at once: answered only if that is open still,
 * and if nothing of the row was taken for its beginning. */
#define NEXT \
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: next\r\nConnection: close\r\n\r\n"

/* What is sent, and what comes of it: the statuses of the answers ("*": the library's own), then
 * whether the next request is answered ("open") or not ("closed").
 *
 * The parser before 1.0 lets pass what ours then refuses; the one since is strict, and often comes
 * before us: with a 400 where we say 501, or without a word, where the first line is no HTTP. */
struct row {
    const char *what;
    struct span sent;
    const char *before_1_0; /* 0.9.75 */
    const char *since_1_0;  /* NULL: the same */
};

/* clang-format off */
#define BYTES(literal)     {literal, sizeof(literal) - 1}
#define COUNT(array)       (sizeof(array) / sizeof(array)[0])
#define LINE(line)         BYTES(line "\r\nHost: localhost\r\n\r\n")
#define TARGET(target)     LINE("GET " target " HTTP/1.1")
#define FIELDS(fields)     BYTES("GET /healthz HTTP/1.1\r\n" fields "\r\n")
#define FIELD(field)       FIELDS("Host: localhost\r\n" field "\r\n")
#define HOST(value)        FIELDS("Host:" value "\r\n")
#define POSTED(line, rest) \
    BYTES("POST /snapshots/a/validate " line "\r\nHost: localhost\r\n" JSON_BODY "\r\n" rest)
#define POST(rest)         POSTED("HTTP/1.1", rest)
#define CHUNKS             "2\r\n{}\r\n0\r\n\r\n"
#define LENGTH(value)      POST("Content-Length:" value "\r\n\r\n{}")
#define CODING(value)      POST("Transfer-Encoding:" value "\r\n\r\n" CHUNKS)
#define CHUNKED(body)      POST("Transfer-Encoding: chunked\r\n\r\n" body)

static const struct row framing[] = {
    {"a length",                 LENGTH(" 2"),                                                          "422 open",     NULL},
    {"a length with a zero",     LENGTH(" 02"),                                                         "422 open",     NULL},
    {"neither",                  POST("\r\n"),                                                          "400 open",     NULL},
    {"twice the same",           POST("Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),              "400 closed",   NULL},
    {"two lengths",              POST("Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}"),             "400 closed",   NULL},
    {"a list of lengths",        LENGTH(" 2, 2"),                                                       "400* 400* closed", "400* closed"},
    {"a sign",                   LENGTH(" +2"),                                                         "400* 400* closed", "400* closed"},
    {"less than nothing",        LENGTH(" -2"),                                                         "400* 400* closed", "400* closed"},
    {"a hexadecimal length",     LENGTH(" 0x2"),                                                        "400* 400* closed", "400* closed"},
    {"two numbers",              LENGTH(" 2 2"),                                                        "400* 400* closed", "400* closed"},
    {"no number",                LENGTH(""),                                                            "400* 400* closed", "400* closed"},
    {"a blank behind it",        LENGTH(" 2\t"),                                                        "400* 400* closed", "422 open"},
    {"a length cut by a NUL",    LENGTH(" 2\0" "0"),                                                    "400 closed",   "400* closed"},
    {"2^64 + 2",                 LENGTH(" 18446744073709551618"),                                       "413* 413* closed", "413* closed"},
    {"2^63",                     LENGTH(" 9223372036854775808"),                                        "413 closed",   NULL},
    {"chunks",                   CODING(" chunked"),                                                    "422 closed",   NULL},
    {"chunks, in capitals",      CODING(" CHUNKED"),                                                    "422 closed",   NULL},
    {"another coding",           CODING(" xchunked"),                                                   "501 closed",   "400* closed"},
    {"two codings",              CODING(" gzip, chunked"),                                              "501 closed",   "400* closed"},
    {"chunked twice",            CODING(" chunked, chunked"),                                           "501 closed",   "400* closed"},
    {"an empty element",         CODING(" chunked,"),                                                   "501 closed",   "400* closed"},
    {"identity",                 CODING(" identity"),                                                   "501 closed",   "400* closed"},
    {"no coding",                CODING(""),                                                            "501 closed",   "400* closed"},
    {"a parameter",              CODING(" chunked;q=1"),                                                "501 closed",   "400* closed"},
    {"quotes",                   CODING(" \"chunked\""),                                                "501 closed",   "400* closed"},
    {"a vertical tab",           CODING(" \vchunked"),                                                  "400 closed",   "400* closed"},
    {"a coding cut by a NUL",    CODING(" chunked\0" "x"),                                              "400 closed",   "400* closed"},
    {"two fields of codings",    POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS),  "400 closed", NULL},
    {"identity, then chunked",   POST("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS), "400 closed", "400* closed"},
    {"a length and chunks",      POST("Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS), "400 closed", "400* closed"},
    {"chunks and a length",      POST("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" CHUNKS),  "400 closed", "400* closed"},
    {"chunks in HTTP/1.0",       POSTED("HTTP/1.0", "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS), "400 closed", NULL},
    {"a blank before the colon", POST("Content-Length : 2\r\n\r\n{}"),                                  "400 closed",   "400* closed"},
    {"a coding before a blank",  POST("Transfer-Encoding : chunked\r\n\r\n" CHUNKS),                    "400 closed",   "400* closed"},
    {"a folded length",          POST("Content-Length:\r\n 2\r\n\r\n{}"),                               "400 closed",   "400* closed"},
    {"a length in two lines",    POST("Content-Length: 4\r\n 0\r\n\r\n{}"),                             "400 closed",   "400* closed"},
    {"a folded coding",          POST("Transfer-Encoding:\r\n chunked\r\n\r\n" CHUNKS),                 "400 closed",   "400* closed"},
    {"a coding in a fold",       POST("X: y\r\n Transfer-Encoding: chunked\r\n\r\n" CHUNKS),            "400 closed",   "400* closed"},
    {"a coding behind a LF",     POST("X: y\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS),               "400 closed",   "400* closed"},
    {"a coding behind a CR",     POST("X: y\rTransfer-Encoding: chunked\r\n\r\n" CHUNKS),               "400 closed",   "400* closed"},
    {"a name nearly the same",   POST("Transfer_Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}"),     "422 open",     NULL},
    {"two types",                POST(JSON_BODY "\r\nContent-Length: 2\r\n\r\n{}"),                     "400 closed",   NULL},
    {"GET with a body",          FIELD("Content-Length: 2\r\n\r\n{}"),                                  "413 closed",   NULL},
    {"GET with chunks",          FIELD("Transfer-Encoding: chunked\r\n\r\n" CHUNKS),                    "413 closed",   NULL},
    {"GET with an empty body",   FIELD("Content-Length: 0\r\n"),                                        "200 open",     NULL},
};

/* A chunked body's framing is the library's alone, so nothing behind it is read. */
static const struct row chunks[] = {
    {"leading zeros",            CHUNKED("00000002\r\n{}\r\n00\r\n\r\n"),              "422 closed",     NULL},
    {"a trailer",                CHUNKED("2\r\n{}\r\n0\r\nX: y\r\n\r\n"),              "422 closed",     NULL},
    {"a length behind",          CHUNKED("2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n"), "422 closed",     NULL},
    {"a trailer without colon",  CHUNKED("2\r\n{}\r\n0\r\njunk\r\n\r\n"),              "400* closed",    NULL},
    {"an extension",             CHUNKED("2;a=b\r\n{}\r\n0\r\n\r\n"),                  "422 closed",     "400* closed"},
    {"a LF in an extension",     CHUNKED("2;a\nb\r\n{}\r\n0\r\n\r\n"),                 "400* closed",    NULL},
    {"LF for CR LF",             CHUNKED("2\n{}\n0\n\n"),                              "422 closed",     "400* closed"},
    {"LF behind the data",       CHUNKED("2\r\n{}\n0\r\n\r\n"),                        "422 closed",     "400* closed"},
    {"nothing behind the data",  CHUNKED("2\r\n{}0\r\n\r\n"),                          "400* closed",    NULL},
    {"more than was said",       CHUNKED("2\r\n{}{}\r\n0\r\n\r\n"),                    "400* closed",    NULL},
    {"no number",                CHUNKED("g\r\n{}\r\n0\r\n\r\n"),                      "400* closed",    NULL},
    {"a sign",                   CHUNKED("-2\r\n{}\r\n0\r\n\r\n"),                     "400* closed",    NULL},
    {"a prefix",                 CHUNKED("0x2\r\n{}\r\n0\r\n\r\n"),                    "400* closed",    NULL},
    {"a blank",                  CHUNKED(" 2\r\n{}\r\n0\r\n\r\n"),                     "400* closed",    NULL},
    {"no size",                  CHUNKED("\r\n{}\r\n0\r\n\r\n"),                       "400* closed",    NULL},
    {"a NUL",                    CHUNKED("2\0\r\n{}\r\n0\r\n\r\n"),                    "400* closed",    NULL},
    {"2^64 + 2",                 CHUNKED("10000000000000002\r\n{}\r\n0\r\n\r\n"),      "413* closed",    NULL},
};

static const struct row lines[] = {
    {"LF alone, everywhere",     BYTES("GET /healthz HTTP/1.1\nHost: localhost\n\n"),         "400 closed", "400* closed"},
    {"LF behind the first line", BYTES("GET /healthz HTTP/1.1\nHost: localhost\r\n\r\n"),     "400 closed", "400* closed"},
    {"LF behind a field",        BYTES("GET /healthz HTTP/1.1\r\nHost: localhost\n\r\n"),     "400 closed", "400* closed"},
    {"LF for the empty line",    BYTES("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\n"),     "400 closed", "400* closed"},
    {"CR for LF",                BYTES("GET /healthz HTTP/1.1\rHost: localhost\r\r"),         "400 closed", "400* closed"},
    {"CR in a value",            FIELD("X: y\rz\r\n"),                                        "400 closed", "400* closed"},
    {"CR CR LF",                 FIELD("X: y\r\r\n"),                                         "400 closed", "400* closed"},
    {"CR before a field",        FIELD("\rX: y\r\n"),                                         "400 closed", "400* closed"},
    {"a folded field",           FIELD("X: y\r\n z\r\n"),                                     "400 closed", "400* closed"},
    {"folded with a tab",        FIELD("X: y\r\n\tz\r\n"),                                    "400 closed", "400* closed"},
    {"a fold of blanks",         FIELD("X: y\r\n \r\n"),                                      "400 closed", "400* closed"},
    {"the first field folded",   FIELDS(" Host: localhost\r\n"),                              "400 closed", "400* closed"},
    {"an empty line in front",   BYTES("\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),     "200 open", NULL},
    {"two of them",              BYTES("\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"), "200 open", "closed"},
    {"a blank in front",         BYTES(" GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),  "closed", NULL},
    {"a NUL in front",           BYTES("\0GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"), "400* closed", "closed"},
};

static const struct row fields[] = {
    {"no Host",                  FIELDS(""),                                           "400 closed", "400* closed"},
    {"two Hosts",                FIELDS("Host: localhost\r\nHost: localhost\r\n"),     "400 closed", NULL},
    {"two Authorizations",       FIELD("Authorization: a\r\nAuthorization: a\r\n"),    "400 closed", NULL},
    {"two Origins",              FIELD("Origin: a\r\nOrigin: b\r\n"),                  "400 closed", NULL},
    {"no colon",                 FIELD("junk\r\n"),                                    "400* closed", NULL},
    {"no name",                  FIELD(": y\r\n"),                                     "400 closed", "400* closed"},
    {"a blank in a name",        FIELD("X Y: z\r\n"),                                  "400 closed", "400* closed"},
    {"a blank behind a name",    FIELD("X : y\r\n"),                                   "400 closed", "400* closed"},
    {"a NUL in a name",          FIELD("X\0Y: z\r\n"),                                 "400* closed", NULL},
    {"a control in a name",      FIELD("X\001: y\r\n"),                                "400 closed", NULL},
    {"parentheses in a name",    FIELD("X(y): z\r\n"),                                 "400 closed", NULL},
    {"a name beyond ASCII",      FIELD("X\xff: y\r\n"),                                "400 closed", NULL},
    {"a NUL in a value",         FIELD("X: y\0z\r\n"),                                 "400 closed", "400* closed"},
    {"a control in a value",     FIELD("X: \001\r\n"),                                 "400 closed", NULL},
    {"DEL in a value",           FIELD("X: \x7f\r\n"),                                 "400 closed", NULL},
    {"a value beyond ASCII",     FIELD("X: \xff\r\n"),                                 "200 open",   NULL},
    {"tabs around a value",      FIELD("X:\t y\tz\t\r\n"),                             "200 open",   NULL},
    {"no value",                 FIELD("X:\r\nY:  \r\n"),                              "200 open",   NULL},
    {"an upgrade",               FIELD("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), "200 open", NULL},
};

static const struct row hosts[] = {
    {"a port",                   HOST(" localhost:8080"),                              "200 open",   NULL},
    {"an empty port",            HOST(" localhost:"),                                  "200 open",   NULL},
    {"no blank",                 HOST("127.0.0.1"),                                    "200 open",   NULL},
    {"IPv6",                     HOST(" [::1]:8080"),                                  "200 open",   NULL},
    {"somebody else",            HOST(" example.com"),                                 "421 open",   NULL},
    {"nobody",                   HOST(""),                                             "421 open",   NULL},
    {"two names",                HOST(" localhost, example.com"),                      "400 closed", NULL},
    {"a blank in it",            HOST(" local host"),                                  "400 closed", NULL},
    {"a user",                   HOST(" me@localhost"),                                "400 closed", NULL},
    {"a path",                   HOST(" localhost/x"),                                 "400 closed", NULL},
    {"a port that is none",      HOST(" localhost:8x"),                                "400 closed", NULL},
    {"what would end a Link",    HOST(" localhost>; rel=\"x\""),                       "400 closed", NULL},
    {"a bracket left open",      HOST(" [::1"),                                        "400 closed", NULL},
    {"cut by a NUL",             HOST(" localhost\0.example.com"),                     "400 closed", "400* closed"},
    {"folded",                   HOST("\r\n localhost"),                               "400 closed", "400* closed"},
};

static const struct row targets[] = {
    {"absolute",                 TARGET("http://localhost/healthz"),                   "200 open",   NULL},
    {"absolute, in capitals",    TARGET("HTTPS://LOCALHOST:80/healthz"),               "200 open",   NULL},
    {"absolute without a path",  TARGET("http://localhost"),                           "404 open",   NULL},
    {"absolute, another's",      TARGET("http://example.com/healthz"),                 "421 open",   NULL},
    {"absolute, nobody's",       TARGET("http:///healthz"),                            "400 open",   NULL},
    {"absolute with a user",     TARGET("http://me@localhost/healthz"),                "400 open",   NULL},
    {"another scheme",           TARGET("ftp://localhost/healthz"),                    "400 open",   NULL},
    {"authority",                LINE("CONNECT localhost:22 HTTP/1.1"),                "400 open",   NULL},
    {"an asterisk",              LINE("OPTIONS * HTTP/1.1"),                           "204 open",   NULL},
    {"GET of an asterisk",       TARGET("*"),                                          "400 open",   NULL},
    {"no slash",                 TARGET("healthz"),                                    "400 open",   NULL},
    {"two slashes",              TARGET("//localhost/healthz"),                        "404 open",   NULL},
    {"a slash too many",         TARGET("/healthz/"),                                  "404 open",   NULL},
    {"a query alone",            TARGET("?x"),                                         "400 open",   NULL},
    {"a fragment",               TARGET("/healthz#x"),                                 "400 closed", NULL},
    {"escaped letters",          TARGET("/%68ealthz"),                                 "200 open",   NULL},
    {"%00",                      TARGET("/snapshots/a%00"),                            "400 open",   NULL},
    {"%2F",                      TARGET("/snapshots/a%2Fmanifest"),                    "400 open",   NULL},
    {"half an escape",           TARGET("/snapshots/a%2"),                             "400 open",   NULL},
    {"half an escape in a query", TARGET("/snapshots?limit=%"),                        "400 open",   NULL},
    {"no hexadecimal",           TARGET("/snapshots/a%zz"),                            "400 open",   NULL},
    {"an overlong slash",        TARGET("/snapshots/%c0%af"),                          "400 open",   NULL},
    {"an overlong slash, 3",     TARGET("/snapshots/%e0%80%af"),                       "400 open",   NULL},
    {"a surrogate",              TARGET("/snapshots/%ed%a0%80"),                       "400 open",   NULL},
    {"no UTF-8",                 TARGET("/snapshots/%ff"),                             "400 open",   NULL},
    {"no UTF-8, unescaped",      TARGET("/snapshots/\xff"),                            "400 open",   NULL},
    {"dots",                     TARGET("/snapshots/.."),                              "404 open",   NULL},
    {"escaped dots",             TARGET("/snapshots/%2e%2e/healthz"),                  "404 open",   NULL},
    {"dots between",             TARGET("/x/../healthz"),                              "404 open",   NULL},
    {"a backslash",              TARGET("/\\healthz"),                                 "404 open",   NULL},
    {"a semicolon",              TARGET("/healthz;x"),                                 "404 open",   NULL},
    {"a NUL in it",              TARGET("/healthz\0x"),                                "400 closed", "closed"},
    {"a control in it",          TARGET("/healthz\001"),                               "400 closed", NULL},
    {"a blank in it",            TARGET("/healthz x"),                                 "400 closed", "400* closed"},
    {"a tab in it",              TARGET("/healthz\tx"),                                "400 closed", NULL},
};

static const struct row versions[] = {
    {"HTTP/1.0",                 LINE("GET /healthz HTTP/1.0"),                        "200 closed", NULL},
    {"HTTP/1.0, without a Host", BYTES("GET /healthz HTTP/1.0\r\n\r\n"),               "200 closed", NULL},
    {"HTTP/1.0, kept",           BYTES("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "200 open", NULL},
    {"HTTP/1.0, two Hosts",      LINE("GET /healthz HTTP/1.0\r\nHost: localhost"),     "400 closed", NULL},
    {"HTTP/1.9",                 LINE("GET /healthz HTTP/1.9"),                        "200 open",   NULL},
    {"HTTP/1.9, without a Host", BYTES("GET /healthz HTTP/1.9\r\n\r\n"),               "400 closed", "400* closed"},
    {"HTTP/2",                   LINE("GET /healthz HTTP/2"),                          "400* closed", NULL},
    {"HTTP/2.0",                 LINE("GET /healthz HTTP/2.0"),                        "505* closed", NULL},
    {"HTTP/0.9",                 LINE("GET /healthz HTTP/0.9"),                        "505* closed", NULL},
    {"HTTP/0.9, as it was",      BYTES("GET /healthz\r\n"),                            "400* closed", NULL},
    {"HTTP/11",                  LINE("GET /healthz HTTP/11"),                         "400* closed", NULL},
    {"HTTP/1.01",                LINE("GET /healthz HTTP/1.01"),                       "400* closed", NULL},
    {"http/1.1",                 LINE("GET /healthz http/1.1"),                        "400* closed", NULL},
    {"two versions",             LINE("GET /healthz HTTP/1.1 HTTP/1.1"),               "400 closed", "400* closed"},
    {"a blank behind",           LINE("GET /healthz HTTP/1.1 "),                       "400* closed", NULL},
    {"a NUL behind",             LINE("GET /healthz HTTP/1.1\0"),                      "400* closed", "closed"},
    {"two blanks before it",     LINE("GET /healthz  HTTP/1.1"),                       "400 closed", "400* closed"},
    {"two blanks",               LINE("GET  /healthz HTTP/1.1"),                       "400 closed", "400* closed"},
    {"tabs",                     LINE("GET\t/healthz\tHTTP/1.1"),                      "closed",     NULL},
    {"no target",                LINE("GET HTTP/1.1"),                                 "400* closed", NULL},
    {"a method alone",           LINE("GET"),                                          "closed",     NULL},
    {"a method in small letters",LINE("get /healthz HTTP/1.1"),                        "405 open",   NULL},
    {"a method with a bracket",  LINE("GE(T /healthz HTTP/1.1"),                       "400 closed", NULL},
    {"a method with a NUL",      LINE("G\0T /healthz HTTP/1.1"),                       "400 closed", "closed"},
    {"TRACE",                    LINE("TRACE /healthz HTTP/1.1"),                      "405 open",   NULL},
};

static const struct row protocols[] = {
    {"HTTP/2's preface",         BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"), "505* closed", NULL},
    {"TLS",                      BYTES("\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03\n\x55\x55\x55"), "closed", NULL},
    {"SSH",                      BYTES("SSH-2.0-OpenSSH_9.2\r\n"),                     "closed",      NULL},
    {"a proxy's word",           BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),      "400* closed", "closed"},
    {"a proxy's bytes",          BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\0\0\0\0"),  "closed",      NULL},
    {"noise",                    BYTES("\xff\xfe\xfd\xfc\r\n\r\n"),                    "closed",      NULL},
};

static const struct row bodies[] = {
    {"requests in a row",        BYTES("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                       "GET /snapshots HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                       "POST /none HTTP/1.1\r\nHost: localhost\r\n\r\n"),    "200 200 404 open", NULL},
    {"an empty line between",    LINE("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n\r\nGET /healthz HTTP/1.1"), "200 200 open", NULL},
    {"the last of them",         FIELD("Connection: close\r\n"),                       "200 closed", NULL},
    {"the last, among others",   FIELD("Connection: keep-alive, close\r\n"),           "200 closed", NULL},
    {"a body nobody reads",      BYTES("POST /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n123456789"), "404 closed", NULL},
    {"junk behind a body",       LENGTH(" 2\r\n\r\n{}\r\njunk\r\n\r\n"),               "422 closed", NULL},
    {"expected and there",       POST("Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}"), "100 422 open", "422 open"},
    {"expected, in HTTP/1.0",    POSTED("HTTP/1.0", "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}"), "422 closed", NULL},
    {"expected, but refused",    BYTES("POST /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"), "404 closed", NULL},
    {"expected, but there is none", FIELD("Expect: 100-continue\r\n"),                 "400 closed", NULL},
    {"something else expected",  POST("Content-Length: 2\r\nExpect: the-best\r\n\r\n{}"), "422 open",  NULL},
};
/* clang-format on */

static const char *find_status(const char *text)
{
    while ((text = strstr(text, "HTTP/1.1 "))) {
        text += strlen("HTTP/1.1 ");
        if (text[0] >= '1' && text[0] <= '5')
            return text;
    }
    return NULL;
}

/* One answer, from its status to its end. */
static void describe(struct span answer, struct text *out)
{
    auto_text struct text text = {0};

    must(text_append(&text, answer.at, answer.len), "memory");
    bool is_ours = text.data[0] == '1' || strstr(text.data, "X-Request-Id: ");
    if (text.data[0] == '2' && strstr(text.data, "X-Request-Id: next"))
        text_appends(out, "open");
    else
        text_appendf(out, "%.3s%s ", text.data, is_ours ? "" : "*");
}

static void describe_all(const struct text *answers, struct text *out)
{
    const char *at = find_status(text_str(answers));

    while (at) {
        const char *next = find_status(at);
        describe((struct span){at, next ? (size_t)(next - at) : strlen(at)}, out);
        at = next;
    }
    if (!strstr(text_str(out), "open"))
        text_appends(out, "closed");
}

static bool check_row(struct test *test, const struct row *row)
{
    bool is_strict = server_library()[0] != '0';
    const char *expected = is_strict && row->since_1_0 ? row->since_1_0 : row->before_1_0;
    auto_text struct text sent = {0};
    auto_text struct text answers = {0};
    auto_text struct text came = {0};
    auto_fd int fd = raw_open(test);

    must(text_append(&sent, row->sent.at, row->sent.len) && text_appends(&sent, NEXT), "memory");
    raw_send(fd, sent.data, sent.len);
    raw_drain(fd, &answers);
    describe_all(&answers, &came);
    if (strcmp(text_str(&came), expected) == 0)
        return true;
    print_error("%s: %s, not %s\n", row->what, text_str(&came), expected);
    return false;
}

static void check(struct test *test, const struct row *rows, size_t count)
{
    struct path memory = test_memory(test, "m", 4096, 7);
    int wrong = 0;

    test_create(test, "a", &memory, 2);
    for (size_t i = 0; i < count; i++)
        wrong += !check_row(test, &rows[i]);
    assert_int_equal(wrong, 0);
}

static void the_end_of_a_body_is_never_in_doubt(void **state)
{
    check(*state, framing, COUNT(framing));
}

static void nothing_is_read_behind_chunks(void **state)
{
    check(*state, chunks, COUNT(chunks));
}

static void lines_end_with_crlf_and_nothing_else(void **state)
{
    check(*state, lines, COUNT(lines));
}

static void fields_are_well_formed_and_those_that_matter_single(void **state)
{
    check(*state, fields, COUNT(fields));
}

static void a_host_is_a_name_and_ours(void **state)
{
    check(*state, hosts, COUNT(hosts));
}

/* What is sent is `count` times `part`, between the others. */
struct repeated {
    const char *before, *part, *behind;
};

static void send_repeated(int fd, const struct repeated *what, size_t len)
{
    auto_text struct text sent = {0};

    text_appends(&sent, what->before);
    while (sent.len < len)
        text_appends(&sent, what->part);
    text_appends(&sent, what->behind);
    raw_send(fd, sent.data, sent.len);
}

/* A head of about so many bytes: 200, or a refusal for its length, whoever says so. */
static void check_length(struct test *test, const struct repeated *what, size_t len)
{
    auto_text struct text answer = {0};
    auto_text struct text came = {0};
    auto_fd int fd = raw_open(test);

    send_repeated(fd, what, len);
    raw_drain(fd, &answer);
    describe_all(&answer, &came);
    if (!strstr("200 400 404 414 422 431 ", path_of("%.3s ", came.data).text))
        fail_msg("%s…, %zu bytes: %s", what->before, len, came.data);
}

#define HEAD(line) line " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"

static void heads_of_any_length_have_an_answer(void **state)
{
    static const struct repeated heads[] = {
        {"GET /",                    "a",                                      HEAD("") "\r\n"},
        {"GET /snapshots?limit=",    "1",                                      HEAD("") "\r\n"},
        {"GET /snapshots?a",         "&a",                                     HEAD("") "\r\n"},
        {HEAD("GET /healthz") "X: ", "y",                                      "\r\n\r\n"     },
        {HEAD("GET /healthz"),       "X:y\r\n",                                "\r\n"         },
        {HEAD("GET /healthz"),       "X: 8901234567890123456789012345678\r\n", "\r\n"         },
    };

    for (size_t i = 0; i < COUNT(heads); i++)
        for (size_t len = 1000; len < 10000; len += 50)
            check_length(*state, &heads[i], len);
}

#define TIMES 24

static void repeat(struct test *test, const struct repeated *request)
{
    int fds[TIMES];

    for (int i = 0; i < TIMES; i++) {
        fds[i] = raw_open(test);
        send_repeated(fds[i], request, 20000);
    }
    for (int i = 0; i < TIMES; i++) {
        auto_text struct text answer = {0};
        raw_drain(fds[i], &answer);
        close(fds[i]);
    }
}

/* The library answers these by itself, or is stuck until they are cut off. */
static void no_request_is_forgotten(void **state)
{
    /* clang-format off */
    static const struct repeated requests[] = {
        {"GET /snapshots?a",               "&a",    HEAD("") "\r\n"},
        {HEAD("GET /healthz") "Cookie: a", "; a=b", "\r\n\r\n"},
        {HEAD("POST /snapshots/a/validate") JSON_BODY "\r\nTransfer-Encoding: chunked\r\n\r\n2;",
                                           "x",     "\r\n"},
    };
    /* clang-format on */
    struct test *test = *state;

    test->settings.body_timeout_s = 1;
    test->settings.body_rate_min = 1 << 20;
    test_restart(test);
    for (size_t i = 0; i < COUNT(requests); i++)
        repeat(test, &requests[i]);
    for (bool is_alone = false; !is_alone;) { /* the ends are told after the connections' */
        auto_answer struct answer metrics = {0};
        test_get(test, "/metrics", &metrics);
        is_alone = strstr(text_str(&metrics.body), "\nvmsnapd_requests_running 1\n");
    }
}

static void targets_mean_one_thing(void **state)
{
    check(*state, targets, COUNT(targets));
}

static void versions_are_told_apart(void **state)
{
    check(*state, versions, COUNT(versions));
}

static void other_protocols_are_hung_up_on(void **state)
{
    check(*state, protocols, COUNT(protocols));
}

static void requests_may_follow_one_another_without_waiting(void **state)
{
    check(*state, bodies, COUNT(bodies));
}

static const struct {
    const struct row *rows;
    size_t count;
} tables[] = {
    {framing,   COUNT(framing)  },
    {chunks,    COUNT(chunks)   },
    {lines,     COUNT(lines)    },
    {fields,    COUNT(fields)   },
    {hosts,     COUNT(hosts)    },
    {targets,   COUNT(targets)  },
    {versions,  COUNT(versions) },
    {protocols, COUNT(protocols)},
    {bodies,    COUNT(bodies)   },
};

/* xorshift64: the same numbers in every run. */
static size_t pick(uint64_t *state, size_t count)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (size_t)(*state % count);
}

static struct span pick_row(uint64_t *state)
{
    size_t table = pick(state, COUNT(tables));

    return tables[table].rows[pick(state, tables[table].count)].sent;
}

static void append_some(struct text *out, struct span from, size_t start, size_t len)
{
    size_t left = from.len - start;

    must(text_append(out, from.at + start, len < left ? len : left), "memory");
}

/* One row's bytes with a few of them lost, doubled, changed, or followed by another row's. */
static void mutate(uint64_t *state, struct text *out)
{
    static const char bytes[] = "\0\r\n\t :;,0x%\xff/";
    struct span from = pick_row(state);
    size_t at = pick(state, from.len);
    size_t len = pick(state, 16);

    append_some(out, from, 0, at);
    switch (pick(state, 4)) {
    case 0: /* lost */
        at += len < from.len - at ? len : from.len - at;
        break;
    case 1: /* doubled */
        append_some(out, from, at, len);
        break;
    case 2: /* put in between */
        must(text_append(out, &bytes[pick(state, sizeof bytes - 1)], 1), "memory");
        break;
    default:
        from = pick_row(state);
        at = pick(state, from.len);
    }
    append_some(out, from, at, from.len);
}

#define ROUNDS  600
#define MUTANTS 64 /* in a round */

static int send_mutant(struct test *test, uint64_t *random)
{
    auto_text struct text sent = {0};
    int fd = raw_open(test);

    mutate(random, &sent);
    if (pick(random, 2))
        text_appends(&sent, NEXT);
    raw_send(fd, text_str(&sent), sent.len);
    if (pick(random, 2))
        shutdown(fd, SHUT_WR);
    return fd;
}

/* Not all have an answer; nothing of them is to be left behind in the kernel. */
static size_t hang_up(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    char answer[4096];
    ssize_t got = recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT);

    answer[got > 0 ? got : 0] = '\0';
    assert_true(got <= 0 || strncmp(answer, "HTTP/1.1 ", 9) == 0);
    assert_null(strstr(answer, "HTTP/1.1 500"));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
    return got > 0;
}

static void no_bytes_do_it_any_harm(void **state)
{
    struct test *test = *state;
    uint64_t random = 20260101;
    size_t answers = 0;
    int fds[MUTANTS];

    record_nothing();                 /* nobody could tell what was asked */
    test->settings.event_threads = 1; /* so that who is answered knows the others were heard */
    test_restart(test);
    for (int round = 0; round < ROUNDS; round++) {
        auto_answer struct answer health = {0};
        for (int i = 0; i < MUTANTS; i++)
            fds[i] = send_mutant(test, &random);
        test_get(test, "/healthz", &health);
        assert_int_equal(health.status, 200);
        for (int i = 0; i < MUTANTS; i++)
            answers += hang_up(fds[i]);
    }
    assert_in_range(answers, ROUNDS * MUTANTS / 2, ROUNDS * MUTANTS);
    test_restart(test); /* which waits for what is left of them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(the_end_of_a_body_is_never_in_doubt),
        WITH_SERVER(nothing_is_read_behind_chunks),
        WITH_SERVER(lines_end_with_crlf_and_nothing_else),
        WITH_SERVER(fields_are_well_formed_and_those_that_matter_single),
        WITH_SERVER(a_host_is_a_name_and_ours),
        WITH_SERVER(targets_mean_one_thing),
        WITH_SERVER(heads_of_any_length_have_an_answer),
        WITH_SERVER(no_request_is_forgotten),
        WITH_SERVER(versions_are_told_apart),
        WITH_SERVER(other_protocols_are_hung_up_on),
        WITH_SERVER(requests_may_follow_one_another_without_waiting),
        WITH_SERVER(no_bytes_do_it_any_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#!/usr/bin/env bash
# Includes point down (main > api > service > codec > base), and each third-party header has one place.
set -euo pipefail
cd "$(dirname "$0")/../.."
status=0

# forbid PATTERN REASON FILE...: no file may match.
forbid() {
    local pattern=$1 reason=$2
    shift 2
    if grep -nE "$pattern" "$@"; then
        echo "^ $reason" >&2
        status=1
    fi
}

# except PATTERN: the sources of the service whose path does not match.
except() {
    git ls-files --cached --others --exclude-standard '*.c' '*.h' | grep -vE "^tests/|$1"
}

forbid '#include "(config\.h|(api|service|codec|tests)/)' 'base/ knows no other layer' base/*.[ch]
forbid '#include "(config\.h|(api|service|tests)/)' 'codec/ knows only base/' codec/*.[ch]
forbid '#include "(config\.h|(api|tests)/)' 'service/ knows only codec/ and base/' service/*.[ch]
forbid '#include "(config\.h|tests/)' 'api/ does not know the program or its tests' api/*.[ch]

mapfile -t files < <(except '^api/server\.c$')
forbid '#include <microhttpd' 'libmicrohttpd is for api/server.c' "${files[@]}"
mapfile -t files < <(except '^codec/')
forbid '#include <jansson' 'jansson is for codec/' "${files[@]}"
mapfile -t files < <(except '^codec/manifest_pb\.c$')
forbid '#include .*(protobuf-c/|pb-c\.h)' 'protobuf-c is for codec/manifest_pb.c' "${files[@]}"
mapfile -t files < <(except '^base/digest\.c$')
forbid '#include <openssl' 'libcrypto is for base/digest.c' "${files[@]}"
mapfile -t files < <(except '^service/catalog_db\.h$')
forbid '#include <sqlite3' 'SQLite is for the catalogue: service/catalog_db.h' "${files[@]}"
mapfile -t files < <(except '^base/systemd\.c$')
forbid '#include <systemd' 'libsystemd is for base/systemd.c' "${files[@]}"
mapfile -t files < <(except '^service/stage\.c$')
forbid '\brename(at2?)?\(' 'renames are for service/stage.c' "${files[@]}"
forbid '\bconnect\(|\bcurl_easy_' 'tests/test.h: every exchange is recorded' tests/http/*.c
exit $status

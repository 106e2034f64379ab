#!/usr/bin/env bash
# Speed and size, each as a ratio against a peer in the same run, interleaved, median of five:
#   run.sh BUILD_DIR [--quick] [PART...]
# The parts are the names below that begin with bench_; without one, all are run.
# Works in a directory of its own beneath $BENCH_DIR (or the build directory), which must be on a disk.
# shellcheck disable=SC2317 # functions are called by names made up of words
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "$1")
shift
requests=1000000
[ "${1:-}" != --quick ] || { requests=100000; shift; }
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(requests logged idle listeners creates copies size catalogue)
readonly rounds=5 seconds=4

for tool in nginx wrk curl; do
    command -v $tool >/dev/null || { echo "bench needs $tool: ./dev bench installs it" >&2; exit 1; }
done
home=$(mktemp -d "${BENCH_DIR:-$build}/bench.XXXXXX")
trap 'stop_all; rm -rf "$home"' EXIT
free=$(df --output=avail -B1G "$home" | tail -n 1)
[ "$free" -ge 16 ] || { echo "bench needs 16 GiB free in $home, and there are $free" >&2; exit 1; }

mkdir "$home/vm" "$home/www"
# Everyone sends a token, also where it means nothing; no limit is reached, but all are counted.
"$build/vmsnapd" token bench write >"$home/tokens" 2>"$home/token"
token="Authorization: Bearer $(cat "$home/token")"
printf 'header = "%s"\n' "$token" >"$home/.curlrc"
export CURL_HOME=$home
pids=()
results=()
ok=0

stop_all() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    pids=()
}

# serve [OPTION...]: starts a service, or another $program, on an empty store, or another $store than the usual;
# sets url, port and server.
serve() {
    rm -f "$home/log" # what a predecessor said is no news
    rm -rf "$home/${store:-store}"
    "${program:-$build/vmsnapd}" --store "$home/${store:-store}" --memory-root "$home/vm" --listen 127.0.0.1:0 \
        --max-requests-per-second 1000000000 "$@" 2>>"$home/log" &
    server=$!
    pids+=("$server")
    until grep -qs listening "$home/log"; do kill -0 "$server"; sleep 0.01; done
    url=$(sed -n 's/.*address=//p' "$home/log")
    port=${url##*:}
}

finish() {
    kill "$server"
    wait "$server" || true
    pids=()
}

create() { # ID FILE CAPTURE
    curl -sf -o "$home/answer" "$url/snapshots" -H 'Content-Type: application/json' -d '{"id": "'"$1"'",
        "memory_file_path": "'"$home/vm/$2"'", "capture": "'"$3"'", "openvmm_version": "0.0.0",
        "vp_count": 2, "architecture": "x86_64"}'
}

# in_turn ROUND NAME...: the names, beginning with another each round: a disk that is fast until its
# burst is used up favours whoever comes first.
in_turn() {
    local round=$1 i
    shift
    for ((i = 0; i < $#; i++)); do
        local at=$(((round + i) % $# + 1))
        echo "${!at}"
    done
}

median() { sort -g | sed -n "$(((rounds + 1) / 2))p"; }

# judge NAME OURS PEER RATIO TARGET: a ratio that is at most the target, or with ">" at least.
judge() {
    local name=$1 ours=$2 peer=$3 ratio=$4 target=$5 verdict
    verdict=$(awk -v r="$ratio" -v t="${target#[<>]}" -v s="${target:0:1}" \
        'BEGIN { print (s == ">" ? r >= t : r <= t) ? "ok" : "MISSED" }')
    [ "$verdict" = ok ] || ok=1
    results+=("$(printf '%-44s %14s %14s %7s %8s  %s' "$name" "$ours" "$peer" "$ratio" "$target" "$verdict")")
}

# compare NAME OURS PEER RATIO: where the peer does less, for the record.
compare() { results+=("$(printf '%-44s %14s %14s %7s' "$@")"); }

divide() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }

# cpu PID...: seconds of CPU time they have used, in all threads.
cpu() {
    local pid
    for pid in "$@"; do sed 's/.*) //' "/proc/$pid/stat"; done \
        | awk -v hz="$(getconf CLK_TCK)" '{ t += $12 + $13 } END { print t / hz }'
}

# load URL SCRIPT PID...: microseconds of CPU time a request.
load() {
    local target=$1 script=$2 before after count
    shift 2
    before=$(cpu "$@")
    count=$(wrk -H "$token" -t2 -c64 -d"$seconds" ${script:+-s "$script"} "$target" | awk '/requests in/ { print $1 }')
    after=$(cpu "$@")
    awk -v s="$after" -v f="$before" -v n="$count" 'BEGIN { printf "%.3f\n", (s - f) * 1e6 / n }'
}

# serve_manifest [OPTION...]: a service, and nginx with the same bytes, whose log is off on the first port
# and on on the second; sets nginx_port and nginx_pids.
serve_manifest() {
    local user=''
    [ "$(id -u)" != 0 ] || user='user root;' # its workers must be able to read the file
    serve "$@"
    nginx_port=$((port + 1))
    truncate -s 8M "$home/vm/small.bin"
    create bench small.bin link
    sleep 0.2 # a manifest is kept in memory once it is 100 ms old
    curl -sf "$url/snapshots/bench/manifest" >"$home/www/manifest.json"
    cat >"$home/nginx.conf" <<EOF
worker_processes 2;
$user
pid $home/nginx.pid;
error_log $home/nginx.log;
events { worker_connections 1024; }
http {
    access_log off;
    sendfile on;
    open_file_cache max=1000 inactive=600s;
    keepalive_requests 1000000000;
    types { application/json json; }
    server { listen 127.0.0.1:$nginx_port; root $home/www; }
    server { listen 127.0.0.1:$((nginx_port + 1)); root $home/www; access_log $home/access.log; }
}
EOF
    nginx -p "$home" -c "$home/nginx.conf" -g 'daemon off;' &
    pids+=($!)
    until curl -s -o "$home/answer" "http://127.0.0.1:$nginx_port/manifest.json"; do
        kill -0 "${pids[-1]}"
        sleep 0.05
    done
    cmp "$home/answer" "$home/www/manifest.json"
    mapfile -t nginx_pids < <(pgrep -P "${pids[-1]}")
}

bench_requests() {
    local i
    serve_manifest --no-access-log --token-file "$home/tokens"
    cat >"$home/validate.lua" <<'EOF'
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"architecture":"x86_64","memory_size_bytes":8388608,"vp_count":2,"page_size":4096}'
EOF
    for ((i = 0; i < rounds; i++)); do
        load "http://127.0.0.1:$nginx_port/manifest.json" '' "${nginx_pids[@]}" >>"$home/nginx.us"
        load "$url/snapshots/bench/manifest" '' "$server" >>"$home/get.us"
        load "$url/snapshots/bench/validate" "$home/validate.lua" "$server" >>"$home/validate.us"
    done
    echo "CPU us/request: nginx, GET manifest, POST validate"
    paste "$home"/{nginx,get,validate}.us
    local nginx get validate
    nginx=$(median <"$home/nginx.us") get=$(median <"$home/get.us") validate=$(median <"$home/validate.us")
    judge 'GET manifest, CPU a request : nginx' "$get us" "$nginx us" "$(divide "$get" "$nginx")" '<0.9'
    judge 'POST validate, CPU a request : GET' "$validate us" "$get us" "$(divide "$validate" "$get")" '<1.5'
    stop_all
}

# Both write a line for each request to a file.
bench_logged() {
    local i
    serve_manifest --token-file "$home/tokens"
    for ((i = 0; i < rounds; i++)); do
        load "http://127.0.0.1:$((nginx_port + 1))/manifest.json" '' "${nginx_pids[@]}" >>"$home/nginx_logged.us"
        load "$url/snapshots/bench/manifest" '' "$server" >>"$home/logged.us"
        [ "$(grep -c manifest "$home/access.log")" -gt 1000 ]
        [ "$(grep -c getManifest "$home/log")" -gt 1000 ]
        : >"$home/access.log" # they grow by some 50 MB a round
        : >"$home/log"
    done
    echo "CPU us/request with a log: nginx, GET manifest"
    paste "$home"/{nginx_logged,logged}.us
    local nginx ours
    nginx=$(median <"$home/nginx_logged.us") ours=$(median <"$home/logged.us")
    judge 'GET manifest with a log, CPU : nginx with its' "$ours us" "$nginx us" "$(divide "$ours" "$nginx")" '<1.25'
    stop_all
}

bench_idle() {
    local resident slowest
    serve --no-access-log --token-file "$home/tokens" --max-connections 12000 --max-connections-per-address 20000
    truncate -s 8M "$home/vm/small.bin"
    create bench small.bin link
    sleep 0.2
    read -r resident slowest < <(/usr/bin/python3 tests/bench/idle.py "$port" "$server" 10000 "$token")
    judge 'resident with 10,000 idle connections : 100 MiB' "$resident KiB" '102400 KiB' \
        "$(divide "$resident" 102400)" '<1.0'
    judge 'new request beside them, p99 : 5 ms' "$slowest ms" '5 ms' "$(divide "$slowest" 5)" '<1.0'
    finish
}

bench_listeners() {
    local grown slowest
    serve --no-access-log
    truncate -s 8M "$home/vm/small.bin"
    read -r grown slowest < <(/usr/bin/python3 tests/bench/listeners.py "$port" "$server" 1000 "$home/vm/small.bin")
    judge '1,000 listeners of events : 20 MiB' "$grown KiB" '20480 KiB' "$(divide "$grown" 20480)" '<1.0'
    judge 'a change until all of them know, p99 : 100 ms' "$slowest ms" '100 ms' "$(divide "$slowest" 100)" '<1.0'
    finish
}

create_by_loop() {
    mkdir "$home/loop"
    sync
    "$build/tests/bench/creates" loop "$home/loop" "$home/vm/link.bin" "$1" >>"$home/loop.rate"
    rm -rf "$home/loop"
}

create_by_http() {
    serve
    sync
    "$build/tests/bench/creates" http "$port" "$home/vm/link.bin" "$1" >>"$home/http.rate"
    finish
    rm -rf "$home/store"
}

bench_creates() {
    local i way
    head -c 1M /dev/urandom >"$home/vm/link.bin"
    for ((i = 0; i < rounds; i++)); do
        for way in $(in_turn "$i" loop http); do "create_by_$way" 2000; done
    done
    echo "creates/s: bare loop, service"
    paste "$home"/{loop,http}.rate
    local bare ours
    bare=$(median <"$home/loop.rate") ours=$(median <"$home/http.rate")
    judge 'durable creates by link, 32 at a time : loop' "$ours/s" "$bare/s" "$(divide "$ours" "$bare")" '>0.8'
}

# timed COMMAND...: seconds it takes.
timed() {
    local from=$EPOCHREALTIME
    "$@" >&2
    awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f\n", b - a }'
}

copy_flushed() { cp "$@" "$home/vm/cp.bin" && sync "$home/vm/cp.bin"; }

# An independent start for each: nothing dirty, no other copy on disk, the source in the page cache.
settle() {
    rm -f "$home/vm/cp.bin"
    sync
    cat "$1" >/dev/null
}

copy_by_cp() { timed cp "$@" "$home/vm/cp.bin"; }
copy_by_cpsync() { timed copy_flushed "$@"; }

# The file is the last of the arguments.
copy_by_ours() {
    local file=${*: -1}
    timed create copy "${file##*/}" copy
    curl -sf -X DELETE "$url/snapshots/copy"
    until [ -z "$(ls "$home/store/.vmsnapd/trash")" ]; do sleep 0.05; done
}

bench_copy() { # NAME FILE CP_OPTION...
    local name=$1 file=$home/vm/$2 i way
    shift 2
    serve
    for ((i = 0; i < rounds; i++)); do
        for way in $(in_turn "$i" cp cpsync ours); do
            settle "$file"
            "copy_by_$way" "$@" "$file" >>"$home/$name.$way"
        done
    done
    finish
    rm -f "$home/vm/cp.bin"
    echo "$name copy, s: cp, cp and sync, service (which flushes)"
    paste "$home/$name".{cp,cpsync,ours}
    local cp flushed ours
    cp=$(median <"$home/$name.cp") flushed=$(median <"$home/$name.cpsync") ours=$(median <"$home/$name.ours")
    judge "copy, $name : cp + sync" "$ours s" "$flushed s" "$(divide "$ours" "$flushed")" '<1.0'
    compare "copy, $name : cp, which does not flush" "$ours s" "$cp s" "$(divide "$ours" "$cp")"
}

bench_copies() {
    "$build/tests/bench/scatter" "$home/vm/sparse.bin" $((8 << 30)) $((300 << 20))
    bench_copy sparse sparse.bin --sparse=always --reflink=never
    rm "$home/vm/sparse.bin"
    "$build/tests/bench/scatter" "$home/vm/dense.bin" $((2 << 30)) $((2 << 30))
    bench_copy dense dense.bin --reflink=never
    rm "$home/vm/dense.bin"
}

resident() { awk '/VmRSS/ { print $2 }' "/proc/$server/status"; }

first_answer() {
    local from=$EPOCHREALTIME
    rm -rf "$home/store"
    "$build/vmsnapd" --store "$home/store" --memory-root "$home/vm" --listen "127.0.0.1:$port" 2>/dev/null &
    server=$!
    pids+=("$server")
    until { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; do :; done
    printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
    IFS= read -r _ <&3
    awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", (b - a) * 1000 }'
    exec 3>&-
}

bench_size() {
    local i start warm after count=0
    serve --no-access-log
    start=$(resident)
    create bench small.bin link
    sleep 0.2
    wrk -H "$token" -t2 -c64 -d1 "$url/snapshots/bench/manifest" >/dev/null
    warm=$(resident)
    while [ "$count" -lt "$requests" ]; do
        count=$((count + $(wrk -H "$token" -t2 -c64 -d5 "$url/snapshots/bench/manifest" | awk '/requests in/ { print $1 }')))
    done
    after=$(resident) # connections come and go: some 20 % up or down are the heaps' breathing
    echo "resident KiB: at start $start, after the first second of load $warm, after $count requests $after"
    judge 'resident after start : 8 MiB' "$start KiB" '8192 KiB' "$(divide "$start" 8192)" '<1.0'
    judge "resident after $count requests : before" "$after KiB" "$warm KiB" "$(divide "$after" "$warm")" '<1.25'
    finish
    for ((i = 0; i < rounds; i++)); do
        first_answer >>"$home/first.ms"
        finish
    done
    echo "start to first answer, ms: $(paste -sd' ' "$home/first.ms")"
    local first
    first=$(median <"$home/first.ms")
    judge 'start to first answer : 50 ms' "$first ms" '50 ms' "$(divide "$first" 50)" '<1.0'
}

# shellcheck source=tests/bench/catalogue.sh
source tests/bench/catalogue.sh
for part in "${parts[@]}"; do "bench_$part"; done
printf '\n%-44s %14s %14s %7s %8s\n' what ours peer ratio target
printf '%s\n' "${results[@]}"
exit $ok

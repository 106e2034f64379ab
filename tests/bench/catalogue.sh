# The catalogue at 1,000, 10,000 and 100,000 snapshots: to start with it and without it, its pages, memory,
# and what it adds to creating. Part of run.sh, whose functions it uses.
# shellcheck shell=bash disable=SC2154,SC2317 # what run.sh sets; what is called by a name made up

growth=()

# What first pages are asked for with: each part of a filter, finding all, many, few and none; and parts that
# find many each and hardly any together.
filters=('' '?sort=created_at' '?sort=-created_at' '?sort=-memory_size_bytes' '?total=1'
    '?label=vm' '?label=vm:vm-077' '?label=vm:vm-077&sort=-created_at' '?label=vm:none&label=ring'
    '?architecture=aarch64' '?architecture=none' '?status=ready' '?status=damaged' '?held=true'
    '?openvmm_version=0.0.0' '?openvmm_version=none' '?memory_min=1' '?memory_max=1'
    '?created_before=2025-01-01T00:00:00Z' '?created_after=2030-01-01T00:00:00Z&sort=id'
    '?q=vm-077' '?q=vm-' '?q=7a' '?q=z' '?q=zq' '?q=none' '?held=true&architecture=aarch64&q=zq&sort=created_at'
    '?label=ring:a&label=ring:b' '?label=ring:a&architecture=aarch64&total=1' '?architecture=aarch64&q=7a')
declare -A pages=() # of each of them, and of a deep one, a column for each count
slowest=0 slowest_of=

# start_many: a service on the store of many, as it is; sets server and first, the milliseconds until it had
# answered a list.
start_many() {
    local from=$EPOCHREALTIME
    "$build/vmsnapd" --store "$home/many" --memory-root "$home/vm" --listen "127.0.0.1:$port" \
        --no-access-log --max-requests-per-second 1000000000 2>>"$home/many.log" &
    server=$!
    pids+=("$server")
    until { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; do kill -0 "$server"; done
    printf 'GET /snapshots?limit=1 HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
    IFS= read -r -t 120 _ <&3
    first=$(awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", (b - a) * 1000 }')
    exec 3>&-
}

# page TARGET: milliseconds below which 99 of 100 answers came, one asked for after the other. wrk counts what
# would have been asked for while it waited, too: in a shorter time one stall of the machine is all there is.
page() {
    wrk -t1 -c1 -d3 --latency "$url$1" \
        | awk '$1 == "99%" { t = $2; f = t ~ /us$/ ? 0.001 : t ~ /ms$/ ? 1 : 1000; printf "%.2f", t * f }'
}

# deep COUNT: what asks for the page in the middle of all.
deep() {
    local size=$(($1 / 10 < 1000 ? $1 / 10 : 1000)) next='' at
    for ((at = 0; at < $1 / 2; at += size)); do
        next=$(curl -sf "$url/snapshots?limit=$size${next:+&cursor=$next}" | sed 's/.*"next":"\([^"]*\)".*/\1/')
    done
    echo "?cursor=$next"
}

# measure_pages COUNT: adds to pages; sets slowest, in milliseconds, and slowest_of.
measure_pages() {
    local query took middle
    middle=$(deep "$1")
    slowest=0
    for query in "${filters[@]}" deep; do
        took=$(page "/snapshots${query/#deep/$middle}")
        pages[/$query]+=$(printf ' %9s' "$took")
        [ "$query" != deep ] || deepest=$took
        awk -v a="$took" -v b="$slowest" 'BEGIN { exit !(a > b) }' || continue
        slowest=$took slowest_of=$query
    done
}

# measure_starts COUNT: sets cold, the seconds without a catalogue; warm, the milliseconds with it; memory,
# the most KiB of both; listed, the milliseconds of a first page.
measure_starts() {
    local i after
    rm -f "$home/many/.vmsnapd/catalog.db"*
    sync
    start_many
    cold=$(divide "$first" 1000)
    memory=$(resident)
    finish
    : >"$home/warm.ms"
    for ((i = 0; i < rounds; i++)); do
        start_many
        echo "$first" >>"$home/warm.ms"
        [ "$i" -eq $((rounds - 1)) ] || finish
    done
    warm=$(median <"$home/warm.ms")
    listed=$(page /snapshots)
    measure_pages "$1"
    after=$(resident)
    [ "$after" -lt "$memory" ] || memory=$after
    finish
}

bench_growth() {
    local from=0 count query deepest
    serve # for a port that is free
    finish
    for count in 1000 10000 100000; do
        "$build/tests/bench/fill" "$home/many" "$from" "$count"
        from=$count
        measure_starts "$count"
        growth+=("$(printf '%9d %10s s %10s ms %10s KiB %8s ms' "$count" "$cold" "$warm" "$memory" "$listed")")
    done
    printf '%9s %12s %13s %14s %11s\n' snapshots 'cold start' 'warm start' resident 'page p99'
    printf '%s\n' "${growth[@]}"
    printf '%-60s %s\n' 'page p99, ms, by the number of snapshots' '    1000     10000    100000'
    for query in "${filters[@]}" deep; do printf '%-60s%s\n' "/snapshots${query/#deep/, in the middle}" "${pages[/$query]}"; done
    local rate
    rate=$(awk -v n="$count" -v s="$cold" 'BEGIN { printf "%.0f", n / s }')
    judge 'read from disk anew, of 100,000 : 20,000/s' "$rate/s" '20000/s' "$(divide "$rate" 20000)" '>1.0'
    judge 'start with 100,000 to a list : 300 ms' "$warm ms" '300 ms' "$(divide "$warm" 300)" '<1.0'
    judge 'resident with 100,000 : 64 MiB' "$memory KiB" '65536 KiB' "$(divide "$memory" 65536)" '<1.0'
    judge 'first page by any filter, p99 : 5 ms' "$slowest ms" '5 ms' "$(divide "$slowest" 5)" '<1.0'
    compare '  the dearest of them' "$slowest_of" '' ''
    judge 'page in the middle of 100,000 : first' "$deepest ms" "$listed ms" "$(divide "$deepest" "$listed")" '<1.1'
    rm -rf "$home/many"
}

# cpu_ns PID: nanoseconds of CPU time it has used, in the threads that it has.
cpu_ns() { awk '{ t += $1 } END { printf "%.0f", t }' "/proc/$1/task"/*/schedstat; }

# bench_cost: two services at once and a few hundred creates by turns, so that whatever else the machine does
# falls on both alike.
bench_cost() {
    local count=300 turns=16 i way
    local -A pid at before
    head -c 1M /dev/urandom >"$home/vm/link.bin"
    for way in vmsnapd tests/bench/uncatalogued; do
        program=$build/$way store=${way##*/} serve --no-access-log
        pid[$way]=$server at[$way]=$port
    done
    sleep 1.5 # until they rest
    for way in "${!pid[@]}"; do before[$way]=$(cpu_ns "${pid[$way]}"); done
    for ((i = 0; i < turns; i++)); do
        for way in $(in_turn "$i" "${!pid[@]}"); do
            "$build/tests/bench/creates" http "${at[$way]}" "$home/vm/link.bin" "$count" $((i * count)) >>"$home/rate"
        done
    done
    sleep 1.5 # what was noted is written out within a second
    for way in "${!pid[@]}"; do
        before[$way]=$(awk -v a="$(cpu_ns "${pid[$way]}")" -v b="${before[$way]}" -v n=$((turns * count)) \
            'BEGIN { printf "%.1f", (a - b) / n / 1000 }')
    done
    stop_all
    rm -rf "$home"/{vmsnapd,uncatalogued}
    local with=${before[vmsnapd]} without=${before[tests/bench/uncatalogued]}
    judge 'create by link, CPU : without a catalogue' "$with us" "$without us" "$(divide "$with" "$without")" '<1.15'
}

bench_catalogue() {
    bench_growth
    bench_cost
}

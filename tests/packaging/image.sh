#!/usr/bin/env bash
# The image that docker/build.sh built, started as README.md says, and as it says not to.
set -euo pipefail
cd "$(dirname "$0")/../.."
. docker/engine.sh
. tests/packaging/checks.sh

readonly size_max=$((40 * 1000 * 1000))
home=$(mktemp -d /tmp/vmsnapd-image.XXXXXX)
vmm=$(id -u)
[ "$vmm" != 0 ] || vmm=4242
names=()

finish() {
    [ ${#names[@]} -eq 0 ] || engine rm -f "${names[@]}" >/dev/null 2>&1
    rm -rf "$home"
}
trap finish EXIT

# start NAME USER OPTION... -- SETTING...: returns when it answers.
start() {
    local name=vmsnapd-$$-$1 user=$2 options=()
    shift 2
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    engine run -d --name "$name" --network none --user "$user:$user" \
        "${start_options[@]}" "${options[@]}" "$image" "$@" >/dev/null
    names+=("$name")
    until engine exec "$name" vmsnapd health "$@" 2>"$home/health"; do
        [ "$(engine inspect --format '{{.State.Running}}' "$name")" = true ] \
            || { engine logs "$name"; fail "$name has ended"; }
    done
}

# stop NAME: prints its exit status.
stop() {
    engine stop -t 10 "vmsnapd-$$-$1" >/dev/null
    engine inspect --format '{{.State.ExitCode}}' "vmsnapd-$$-$1"
}

# call SOCKET PATH [CURL OPTION]...
call() {
    local socket=$1 path=$2
    shift 2
    curl -sS --unix-socket "$socket" -H 'Content-Type: application/json' "$@" "http://localhost$path"
}

# create SOCKET ID MEMORY
create() {
    call "$1" /snapshots -d '{"id": "'"$2"'", "memory_file_path": "'"$3"'", "openvmm_version": "0.0.0",
        "vp_count": 2, "architecture": "x86_64"}'
}

# A directory of VMs with one of them, of that user.
make_home() {
    mkdir -p "$1/store" "$1/vms"
    truncate -s 64K "$1/vms/memory.bin"
    [ "$(id -u)" != 0 ] || chown -R "$2:$2" "$1"
}

inspect() {
    engine image inspect --format "$2" "$1"
}

check_image() {
    local size
    size=$(($(inspect "$image" '{{.Size}}') - $(inspect "$base" '{{.Size}}')))
    [ $size -le $size_max ] || fail "the image has $size bytes beyond its base"
    echo "the image has $((size / 1000)) kB beyond its base"
    same 'the user' 10001:10001 "$(inspect "$image" '{{.Config.User}}')"
    holds 'the version' "$(engine run --rm --network none "${start_options[@]}" "$image" --version)" 'vmsnapd 0.'
}

# One directory at one path, and the VMM's user: links work, and the host finds what is answered.
check_as_it_should_be() {
    local dir=$home/good
    local socket=$dir/socket
    make_home "$dir" "$vmm"
    start good "$vmm" -v "$dir:$dir" -- --store "$dir/store" --memory-root "$dir/vms" --listen "unix:$socket"
    same 'the health check' '[CMD vmsnapd health]' \
        "$(engine inspect --format '{{.Config.Healthcheck.Test}}' "vmsnapd-$$-good")"
    local answer
    answer=$(create "$socket" a "$dir/vms/memory.bin")
    holds 'the path' "$answer" '"path":"'"$dir"'/store/snapshots/a"'
    same 'the inode' "$(stat -c %i "$dir/vms/memory.bin")" "$(stat -c %i "$dir/store/snapshots/a/memory.bin")"
    holds 'the manifest' "$(call "$socket" /snapshots/a/manifest)" '"memory_size_bytes":65536'
    holds 'a good restore' "$(call "$socket" /snapshots/a/validate -d '{"vp_count": 2}')" '"valid":true'
    holds 'a bad restore' "$(call "$socket" /snapshots/a/validate -d '{"vp_count": 4}')" '"valid":false'
    holds 'the list' "$(call "$socket" /snapshots)" '"id":"a"'
    same 'the removal' 204 "$(call "$socket" /snapshots/a -X DELETE -o "$home/deleted" -w '%{http_code}')"
    same 'its end' 0 "$(stop good)"
}

# What it answers is what openapi.yaml says.
check_contract() {
    mkdir "$home/contract"
    TMPDIR=$home/contract /usr/bin/python3 tests/contract/contract.py tests/packaging/contained.sh
}

# holds_quoted WHAT TEXT PART: README.md has that part, too.
holds_quoted() {
    holds "$1" "$2" "$3"
    grep -qF "$3" README.md || fail "README.md does not quote: $3"
}

check_two_mounts() {
    local dir=$home/mounts
    make_home "$dir" "$vmm"
    start mounts "$vmm" -v "$dir:$dir" -v "$dir/vms:/vms" -- \
        --store "$dir/store" --memory-root /vms --listen "unix:$dir/socket"
    holds_quoted 'links across mounts' "$(create "$dir/socket" a /vms/memory.bin)" \
        'are one filesystem seen through two mounts, and a hard link cannot cross mounts: mount their common parent directory once'
    same 'its end' 0 "$(stop mounts)"
}

check_another_user() {
    local dir=$home/user
    make_home "$dir" "$vmm"
    chmod 600 "$dir/vms/memory.bin"
    chmod 777 "$dir" "$dir/store"
    start user $((vmm + 1)) -v "$dir:$dir" -- \
        --store "$dir/store" --memory-root "$dir/vms" --listen "unix:$dir/socket"
    holds_quoted 'a file of another user' "$(create "$dir/socket" a "$dir/vms/memory.bin")" \
        "may not read this file; run vmsnapd as the user that OpenVMM runs as (the file's owner)"
    same 'its end' 0 "$(stop user)"
}

if ! engine run --rm --network none "${start_options[@]}" "$base" true 2>"$home/error"; then
    skip "no container starts here, so the image was built and not tried: $(cat "$home/error")"
fi
chmod 755 "$home"
check_image
check_as_it_should_be
check_contract
check_two_mounts
check_another_user
echo "image: $passed passed"

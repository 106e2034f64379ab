#!/usr/bin/env bash
# A Debian package on a host of its own, whose systemd runs it: host.sh PACKAGE RELEASE. The host is a
# debootstrap of that release of Debian, in namespaces; 77 where those are forbidden.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/packaging/checks.sh

package=$1 release=$2
base=$PWD/build/host/$release
root=$PWD/build/host/running
init=''
cgroup=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/vmsnapd-test-$$

finish() {
    # Its processes end with it.
    [ -z "$init" ] || kill -KILL "$init"
    wait
    rm -rf "$root"
    [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} +
}
trap finish EXIT

skip_host() {
    skip "the package was built, not installed: $*"
}

# A Debian with what the package depends on, which stays for the next run.
make_base() {
    local depends
    depends=$(dpkg-deb -f "$package" Depends | sed 's/([^)]*)//g; s/|[^,]*//g; s/ //g')
    rm -rf "$base"
    mkdir -p "$base"
    debootstrap --variant=minbase --include="systemd-sysv,dbus,$depends" "$release" "$base" \
        >"$base.log" 2>&1 || { tail -n 3 "$base.log" >&2; rm -rf "$base"; skip_host 'debootstrap failed'; }
    rm -rf "$base"/var/cache/apt/archives/*.deb
}

# Becomes the first process of the host: what a container manager would prepare.
boot() {
    mkdir "$cgroup"
    echo "$BASHPID" >"$cgroup/cgroup.procs"
    # shellcheck disable=SC2016 # for the inner shell to expand
    exec unshare --pid --fork --kill-child --mount --cgroup --ipc --uts --net bash -euc '
        root=$1
        mount --make-rprivate /
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount -t sysfs -o ro sysfs "$root/sys"
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
        mount -t tmpfs tmpfs "$root/run"
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        for device in null zero full random urandom tty; do
            touch "$root/dev/$device"
            mount --bind "/dev/$device" "$root/dev/$device"
        done
        mkdir "$root/dev/shm" "$root/dev/pts"
        mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
        ln -s pts/ptmx "$root/dev/ptmx"
        cd "$root"
        pivot_root . mnt # so that units can have mounts of their own, which a chroot cannot
        umount -l /mnt
        exec env -i container=vmsnapd-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            /lib/systemd/systemd --unit=multi-user.target --show-status=0
    ' boot "$root"
}

inside() {
    nsenter --target "$init" --all --root --wd env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

start_host() {
    local unshare
    rm -rf "$root"
    cp -a "$base" "$root"
    boot >"$base.boot.log" 2>&1 </dev/null &
    unshare=$!
    until init=$(pgrep -x -P $unshare systemd) && [ -S "/proc/$init/root/run/systemd/private" ]; do
        kill -0 $unshare 2>/dev/null || { cat "$base.boot.log" >&2; skip_host 'systemd does not start here'; }
    done
    inside systemctl is-system-running --wait >"$base.boot.log" || true # "degraded" will do
}

unit() {
    inside systemctl show --value -p "$1" vmsnapd.service
}

# call PATH [CURL OPTION]...: over the host's own loopback address
call() {
    local path=$1
    shift
    nsenter --target "$init" --net curl -sS -H 'Content-Type: application/json' "$@" "http://127.0.0.1:8080$path"
}

# create ID CAPTURE
create() {
    call /snapshots -d '{"id": "'"$1"'", "capture": "'"$2"'", "memory_file_path": "/var/lib/openvmm/vms/memory.bin",
        "openvmm_version": "0.0.0", "vp_count": 2, "architecture": "x86_64"}'
}

check_installation() {
    cp "$package" "$root/vmsnapd.deb"
    inside dpkg -i /vmsnapd.deb >"$base.dpkg.log" 2>&1 || { cat "$base.dpkg.log" >&2; fail 'dpkg -i failed'; }
    same 'its state' active "$(unit ActiveState)" # it has said that it is ready
    same 'what systemd makes of the units' '' "$(inside systemd-analyze verify --man=no vmsnapd.service vmsnapd.socket 2>&1)"
    inside vmsnapd health
    inside systemd-analyze security --threshold=20 vmsnapd.service >"$base.security.log" \
        || { tail -n 1 "$base.security.log" >&2; fail 'exposed too much'; }
}

# What README.md says to do for a VMM whose files another user owns.
run_as_the_vmm() {
    inside useradd --system --create-home --home-dir /var/lib/openvmm openvmm
    inside install -d -o openvmm -g openvmm /var/lib/openvmm/vms
    truncate -s 64K "$root/var/lib/openvmm/vms/memory.bin"
    inside chown openvmm:openvmm /var/lib/openvmm/vms/memory.bin
    mkdir -p "$root/etc/systemd/system/vmsnapd.service.d"
    printf '[Service]\nUser=openvmm\nGroup=openvmm\nWatchdogSec=2\n' \
        >"$root/etc/systemd/system/vmsnapd.service.d/vmm.conf"
    printf 'VMSNAPD_STORE=/var/lib/openvmm/store\nVMSNAPD_MEMORY_ROOT=/var/lib/openvmm/vms\n' \
        >>"$root/etc/default/vmsnapd"
    inside systemctl daemon-reload
    inside systemctl restart vmsnapd.service
}

check_main_job() {
    holds 'a link' "$(create linked link)" '"capture":"link"'
    same 'the inode' "$(stat -c %i "$root/var/lib/openvmm/vms/memory.bin")" \
        "$(stat -c %i "$root/var/lib/openvmm/store/snapshots/linked/memory.bin")"
    holds 'a copy' "$(create copied copy)" '"capture":"copy"'
    holds 'the writer check' "$(call '/snapshots/copied?include=live')" '"writer":"none"'
    holds 'a restore' "$(call /snapshots/linked/validate -d '{"vp_count": 2}')" '"valid":true'
}

check_reload_and_watchdog() {
    local pid
    pid=$(unit MainPID)
    inside systemctl reload vmsnapd.service
    same 'the process after a reload' "$pid" "$(unit MainPID)"
    same 'its state after a reload' active "$(unit ActiveState)"
    inside kill -STOP "$pid"
    until [ "$(unit NRestarts)" = 1 ] && [ "$(unit ActiveState)" = active ]; do
        [ "$(unit ActiveState)" != failed ] || fail 'it was not restarted'
    done
    inside vmsnapd health
    holds 'what is left after the watchdog' "$(call /snapshots)" '"id":"copied"'
}

# A start is not needed before there is a request, and none is refused meanwhile.
check_socket() {
    inside systemctl stop vmsnapd.service
    same 'how it ended' success "$(unit Result)"
    inside systemctl start vmsnapd.socket
    same 'its state before a request' inactive "$(unit ActiveState)"
    inside vmsnapd health
    same 'its state after a request' active "$(unit ActiveState)"
}

check_removal() {
    inside dpkg --purge vmsnapd >>"$base.dpkg.log" 2>&1 || { cat "$base.dpkg.log" >&2; fail 'purge failed'; }
    same 'its state once it is gone' inactive "$(unit ActiveState)"
    same 'what is left of it' '' "$(cd "$root" && find usr/sbin usr/lib/systemd etc -name '*vmsnapd*' \
        ! -name vmsnapd.service.d )"
    same 'whether snapshots stay' linked "$(inside ls /var/lib/openvmm/store/snapshots | tail -n 1)"
}

[ "$(id -u)" = 0 ] || skip_host 'that takes root'
[ -d "$base" ] || make_base
start_host
check_installation
run_as_the_vmm
check_main_job
check_reload_and_watchdog
check_socket
check_removal
echo "package on $release: $passed passed"

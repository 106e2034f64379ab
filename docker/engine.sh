# shellcheck shell=bash
# To be sourced: engine ARGUMENT..., docker where its daemon answers, else podman with a storage of its
# own in build/image, and the image that all of this is about.
export image=localhost/vmsnapd:dev base=docker.io/library/debian:trixie-slim
export engine_home=$PWD/build/image

if docker version >/dev/null 2>&1; then
    engine_command=(docker)
else
    engine_command=(podman --log-level fatal --runtime runc --cgroup-manager cgroupfs)
    mkdir -p "$engine_home"
    printf '[storage]\ndriver = "overlay"\nrunroot = "%s/run"\ngraphroot = "%s/storage"\n' \
        "$engine_home" "$engine_home" >"$engine_home/storage.conf"
    export CONTAINERS_STORAGE_CONF=$engine_home/storage.conf
fi

engine() {
    "${engine_command[@]}" "$@"
}

# How the image is started, apart from whom it runs as, its network and its files. Some kernels refuse the
# limits that engines have by default.
export start_options=(--read-only --cap-drop ALL --security-opt no-new-privileges
    --ulimit nofile=1024:1024 --ulimit nproc=1024:1024)

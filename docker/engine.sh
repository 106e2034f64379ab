# shellcheck shell=bash
# To be sourced: engine ARGUMENT..., docker where its daemon answers, else podman with a storage of its
# own in build/image, and the image that all of this is about.
export image=localhost/vmsnapd:dev base=docker.io/library/debian:trixie-slim
export engine_home=$PWD/build/image

if docker version >/dev/null 2>&1; then
    readonly engine=docker
else
    readonly engine=podman
    mkdir -p "$engine_home"
    printf '[storage]\ndriver = "overlay"\nrunroot = "%s/run"\ngraphroot = "%s/storage"\n' \
        "$engine_home" "$engine_home" >"$engine_home/storage.conf"
    export CONTAINERS_STORAGE_CONF=$engine_home/storage.conf
fi

engine() {
    if [ "$engine" = docker ]; then
        docker "$@"
    else
        podman --log-level fatal --runtime runc --cgroup-manager cgroupfs "$@"
    fi
}

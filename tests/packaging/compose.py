#!/usr/bin/python3
"""What docker/compose.yaml says against what it refers to: compose.py VARIABLES

VARIABLES is the file of all settings that /etc/default/vmsnapd is made of. Needs Debian's python3-yaml."""

import re
import sys
from pathlib import Path

import yaml

DOCKER = Path(__file__).resolve().parents[2] / "docker"

services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
passed = 0


def check(what, good):
    global passed
    if not good:
        sys.exit(f"compose.yaml: {what}")
    passed += 1


def expand(text):
    """Variables without their defaults and messages."""
    return re.sub(r"\$\{(\w+)[^}]*\}", r"$\1", text)


def mounts(service):
    for volume in service.get("volumes", []):
        source, target, *options = expand(volume).split(":")
        yield source, target, "ro" in options


def check_settings(service, variables):
    known = set(re.findall(r"^#(VMSNAPD_\w+)=", Path(variables).read_text(), re.M))
    check("the settings can be read", len(known) > 10)
    for name in service["environment"]:
        check(f"{name} is no setting", name in known)


def check_directory(service):
    """One that can be written, with one name inside and outside, and in it all that is kept."""
    writable = [(source, target) for source, target, read_only in mounts(service) if not read_only]
    check("one directory must hold store and memory", len(writable) == 1)
    source, target = writable[0]
    check("its path must be the same inside and outside", source == target)
    for setting in ("VMSNAPD_STORE", "VMSNAPD_MEMORY_ROOT"):
        check(f"{setting} must lie in it", expand(service["environment"][setting]).startswith(target + "/"))


def check_rights(service):
    check("it must run as the VMM's user", expand(service["user"]) == "$VMM_UID:$VMM_GID")
    check("it must only read its own files", service["read_only"] is True)
    check("it needs no capability", service["cap_drop"] == ["ALL"])
    check("it must ask for tokens", "VMSNAPD_TOKEN_FILE" in service["environment"])


def check_others(others):
    for name, service in others.items():
        check(f"{name} must reach it by its loopback address", service["network_mode"] == "service:vmsnapd")
        check(f"{name} must be of one version", re.search(r":v?\d+\.\d+", service["image"]))
        for source, _, _ in mounts(service):
            check(f"{name} mounts {source}, which is not there",
                  not source.startswith("./") or (DOCKER / source).exists())


vmsnapd = services.pop("vmsnapd")
check_settings(vmsnapd, sys.argv[1])
check_directory(vmsnapd)
check_rights(vmsnapd)
check_others(services)
print(f"compose: {passed} passed")

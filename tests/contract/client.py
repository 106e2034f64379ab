#!/usr/bin/python3
"""A TypeScript client is made from openapi.yaml, compiles, and does the main job: client.py TOOLS PROGRAM"""

import shutil
import subprocess
import sys
from pathlib import Path

from document import ROOT
from program import Program
from tools import Tools

COMPILER = ("--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext",
            "--lib", "es2022,dom", "--types", "node")

tools = Tools(sys.argv[1])
work = tools.directory / "client"  # beneath the packages that it imports
shutil.rmtree(work, ignore_errors=True)
work.mkdir()
shutil.copy(Path(__file__).with_name("client.ts"), work)
# A member of a request that has a default may be left out.
if tools.run("openapi-typescript", ROOT / "openapi.yaml", "--default-non-nullable", "false",
             "-o", work / "api.d.ts") != 0:
    sys.exit(1)
if tools.run("tsc", *COMPILER, "client.ts", cwd=work) != 0:
    sys.exit(1)
with Program(sys.argv[2]) as program:
    status = subprocess.run(["node", work / "client.js", program.url, program.memory], check=False).returncode
sys.exit(status)

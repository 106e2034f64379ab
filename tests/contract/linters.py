#!/usr/bin/python3
"""openapi.yaml by two linters, of which neither may have as much as a hint: linters.py TOOLS"""

import sys
from pathlib import Path

from document import ROOT
from tools import Tools

tools = Tools(sys.argv[1])
document = ROOT / "openapi.yaml"
redocly = tools.run("redocly", "lint", "--extends=recommended-strict", document)
spectral = tools.run("spectral", "lint", "--fail-severity=hint",
                     f"--ruleset={Path(__file__).with_name('spectral.yaml')}", document)
sys.exit(bool(redocly or spectral))

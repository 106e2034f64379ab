"""The tools from npm, in the directory where ./dev installs them."""

import os
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


class Tools:
    def __init__(self, directory):
        self.directory = Path(directory)
        if not (self.directory / "installed").exists():
            print("SKIPPED: the tools from npm are not installed; ./dev tools does it")
            sys.exit(77)

    def command(self, name):
        return self.directory / "node_modules/.bin" / name

    def run(self, name, *arguments, **options):
        """The exit status."""
        return subprocess.run([self.command(name), *map(str, arguments)], env=ENVIRONMENT,
                              check=False, **options).returncode

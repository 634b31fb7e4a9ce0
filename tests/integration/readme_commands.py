"""README's commands, run as they stand there.

A server that is started with & gets free ports by its environment, and what follows it waits
until it is ready; that is all that is added.
"""
import os
import re
import subprocess

from alignsae_server import BIN, SOURCE

README = SOURCE / "README.md"
_AWAIT = ('until [ -s "$ALIGNSAE_PORT_FILE" ]; do kill -0 $!; sleep 0.05; done; '
          'export ALIGNSAE_SERVER=127.0.0.1:$(jq .grpc "$ALIGNSAE_PORT_FILE"); '
          'until curl -sfo /dev/null 127.0.0.1:$(jq .admin "$ALIGNSAE_PORT_FILE")/readyz; '
          'do kill -0 $!; sleep 0.05; done')


def section(title):
    """The text below a heading, up to the next one of its level."""
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README.read_text(),
                     re.DOTALL | re.MULTILINE)[1]


def block(title):
    """The first block of commands of a section."""
    return re.search(r"^```\n(.*?)^```$", section(title), re.DOTALL | re.MULTILINE)[1]


def inline(title, begin):
    """The command in the running text that begins so, on one line."""
    return " ".join(re.search(rf"`({re.escape(begin)}[^`]*)`", section(title))[1].split())


def run(commands, folder, path=(), **environment):
    """Runs the lines in `folder`, with the programs in front of `path` in PATH; ends the server
    they started. Gives (exit code, what was printed on both streams)."""
    lines = [f"{line}\n{_AWAIT}" if line.rstrip().endswith("&") else line
             for line in commands.splitlines()]
    end = 'if [ -n "$(jobs -p)" ]; then kill $(jobs -p); wait $!; fi'
    script = "set -euo pipefail\n" + "\n".join(lines) + f"\n{end}\n"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, check=False, timeout=600, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PATH": ":".join([str(BIN), *map(str, path), os.environ["PATH"]]),
             "ALIGNSAE_LISTEN": "127.0.0.1:0", "ALIGNSAE_ADMIN_LISTEN": "127.0.0.1:0",
             "ALIGNSAE_LAME_DUCK_SECONDS": "0", "ALIGNSAE_PORT_FILE": str(folder / "ports.json"), **environment})
    return done.returncode, done.stdout

"""Run a command that prints JSON and keep what it prints under docs/results, with where and how it was made.

python docs/results/record.py NAME -- onenet bench train --json
"""

import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Record one result."""
    name, separator, *command = sys.argv[1:]
    if separator != "--":
        sys.exit("usage: record.py NAME -- COMMAND")
    load, started = os.getloadavg()[0], time.perf_counter()
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    record = {
        "command": " ".join(command),
        "commit": git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "onenet") else ""),
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "seconds": round(time.perf_counter() - started, 1),
        "result": json.loads(printed),
    }
    (HERE / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def git(*words: str) -> str:
    """What git prints."""
    return subprocess.run(["git", *words], check=True, stdout=subprocess.PIPE, text=True, cwd=HERE).stdout.strip()


def processor() -> str:
    """The processor's name and what matters of its instruction set."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine()
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    values = {key.strip(): value.strip() for key, value in lines.items()}
    known = [
        flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16") if flag in values.get("flags", "").split()
    ]
    return f"{values.get('model name', platform.machine())} ({', '.join(known)})"


if __name__ == "__main__":
    main()

"""A real server over the invented day, and a real Chromium before it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spark_jobs.config import PROJECT

CHROMIUM = "/usr/bin/chromium"
SIZE = {"width": 1366, "height": 768}
# The services of a desktop that Chromium would call are no part of a page.
_WORDS = ["--disable-background-networking", "--disable-gpu", "--no-first-run", "--font-render-hinting=none"]


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """The address of a uvicorn process over the home."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "C360_HOME": str(home),
        "PYTHONPATH": str(PROJECT),
        "C360_SERVE_REQUESTS_PER_MINUTE": "100000",
        "C360_SERVE_TIMEOUT_SECONDS": "120",
    }
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "serving.app:create_app",
        "--factory",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    process = subprocess.Popen(command, env=environment)
    try:
        _wait(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(120)


def _wait(address: str, seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(address, timeout=30).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    words = [*_WORDS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=words)
        try:
            yield browser
        finally:
            browser.close()

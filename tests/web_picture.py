"""Look at `flowlatch web` as a browser shows it: `python -m tests.web_picture`.

Needs Chromium (Debian: apt-get install chromium), which is no dependency of this repository, and the extra `web`.
Starts a seeded server and `flowlatch web` on the loopback, opens it, goes to a run by keys,
and writes `screenshots/web.png` (`--to DIR`: elsewhere).
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pyte
from websockets.sync.client import ClientConnection, connect

from tests.support.server import ServerProcess, clean_environment
from tests.support.sources import ROOT
from tests.support.theatre import house
from tests.support.waiting import eventually

START_S = 40.0
SIZE = (1200, 800)
CODES = {"Enter": 13, "Escape": 27}
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--remote-debugging-port=0", "--remote-allow-origins=*"),
)


class Page:
    """One page of the browser, spoken to in the DevTools protocol; what its terminal is sent is drawn here too."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(START_S))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self._hear(answer)

    def _hear(self, event: dict[str, Any]) -> None:
        if event.get("method") not in ("Network.webSocketFrameReceived", "Network.webSocketFrameSent"):
            return
        frame = event["params"]["response"]
        if frame["opcode"] == 2:
            self._stream.feed(base64.b64decode(frame["payloadData"]))
        elif frame["payloadData"].startswith('["resize"'):
            size = json.loads(frame["payloadData"])[1]
            self._screen.resize(size["height"], size["width"])

    @property
    def text(self) -> str:
        """What the terminal in the page shows."""
        self.ask("Runtime.evaluate", expression="0")
        return "\n".join(self._screen.display)

    def shows(self, *wanted: str) -> None:
        """Wait until all of these texts are there."""
        eventually(lambda: all(text in self.text for text in wanted), START_S, f"{wanted} in the browser")

    def press(self, key: str) -> None:
        """Press a key as a person would."""
        text: dict[str, Any] = {"text": key} if len(key) == 1 else {"windowsVirtualKeyCode": CODES[key]}
        if key == "Enter":
            text["text"] = "\r"
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    def picture(self) -> bytes:
        """Return the page as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])


@contextmanager
def browser(chromium: str, directory: Path) -> Iterator[Page]:
    """Start Chromium with an empty profile and give its page."""
    size = f"--window-size={SIZE[0]},{SIZE[1]}"
    command = [chromium, *QUIET, size, f"--user-data-dir={directory}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port_file = directory / "DevToolsActivePort"
        eventually(lambda: port_file.exists() and port_file.read_text(), START_S, "Chromium")
        with urlopen(f"http://127.0.0.1:{port_file.read_text().split()[0]}/json") as answer:
            pages = json.load(answer)
        url = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        with connect(url, max_size=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def web(server: ServerProcess, port: int) -> Iterator[str]:
    """Start `flowlatch web` on this server and give its address."""
    options = ["--server", server.url, "--token-file", str(server.data / "token"), "--port", str(port)]
    environment = clean_environment(server.home)
    command = [sys.executable, "-m", "flowlatch", "web", *options]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _answers(port), START_S, "flowlatch web")
        yield f"http://127.0.0.1:{port}/?fontsize=14"
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def walk(page: Page, address: str) -> bytes:
    """Open the dashboard, go to a run by keys, and return it as a picture."""
    page.ask("Network.enable")
    page.ask("Page.navigate", url=address)
    page.shows("FLOW / RUN", "Success", "READ-ONLY")
    page.ask("Runtime.evaluate", expression="document.querySelector('.xterm-helper-textarea').focus()")
    for _ in range(9):
        page.press("j")
    page.press("Enter")
    page.shows("Overview", "READ-ONLY", "lines ·", "+ Success  ")
    return page.picture()


def main() -> None:
    """Write the picture, or say what is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.web_picture", description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "screenshots", help="directory (screenshots)")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium here: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="flowlatch-web-", ignore_cleanup_errors=True) as directory, house() as made:
        server = made.server()
        with web(server, _free_port()) as address, browser(chromium, Path(directory)) as page:
            (arguments.to / "web.png").write_bytes(walk(page, address))
    print(os.fspath(arguments.to / "web.png"))


if __name__ == "__main__":
    main()

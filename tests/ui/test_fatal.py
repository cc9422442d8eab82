"""An error of our own ends the dashboard with one line, also when it has others in its wake."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from rich.text import Text

from flowlatch.api.opener import open_backend
from flowlatch.config import load_settings, resolve
from flowlatch.ui.app import FlowlatchApp


async def test_the_first_of_several_errors_is_told_and_all_are_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings()
    app = FlowlatchApp(settings, resolve(settings, server="http://127.0.0.1:9"), open_backend, state_dir=tmp_path)
    for error in (RuntimeError("first"), KeyError("second")):
        app._exception = error
        with caplog.at_level(logging.CRITICAL):
            app._fatal_error()
    (told,) = app._exit_renderables
    assert isinstance(told, Text)
    assert told.plain == f"flowlatch ended by an error of its own (RuntimeError). Details: {tmp_path}/flowlatch.log"
    assert ["first" in caplog.text, "second" in caplog.text] == [True, True]

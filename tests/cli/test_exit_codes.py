"""Every way to fail has its exit code, one line on stderr, and nothing on stdout (design.md §3, §9)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Done, execute
from tests.support.faults import Answer, FaultyServer, LoseAnswer
from tests.support.server import ServerProcess
from tests.support.wire import Wire

NOBODY = "00000000-0000-4000-8000-000000000000"


def failed(done: Done, code: int, word: str) -> None:
    """Assert the exit code, the word for scripts, and that it is one line of stderr alone."""
    assert (done.code, done.error["code"], done.out) == (code, word, "")
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "code", "word"),
    [
        (["runs", "show", NOBODY], 4, "NOT_FOUND"),
        (["runs", "history", NOBODY], 4, "NOT_FOUND"),
        (["runs", "tasks", NOBODY], 4, "NOT_FOUND"),
        (["runs", "logs", NOBODY], 4, "NOT_FOUND"),
        (["runs", "watch", NOBODY], 4, "NOT_FOUND"),
        (["runs", "show", "fffffff"], 4, "NOT_FOUND"),
        (["runs", "show", "12345"], 2, "BAD_INPUT"),
        (["runs", "show", "no-id-at-all"], 2, "BAD_INPUT"),
        (["runs", "create", "no such flow"], 4, "NOT_FOUND"),
        (["runs", "create", NOBODY], 4, "NOT_FOUND"),
        (["flows", "archive", "no such flow"], 4, "NOT_FOUND"),
        (["flows", "create", " "], 2, "BAD_INPUT"),
        (["flows", "create", "f", "--param", "=1"], 2, "BAD_INPUT"),
        (["flows", "create", "f", "--param", "a:real"], 2, "BAD_INPUT"),
        (["flows", "create", "f", "--param", "a:int=x"], 2, "BAD_INPUT"),
        (["flows", "create", "f", "--param", "a", "--param", "a"], 2, "BAD_INPUT"),
        (["runs", "list", "--filter", "stat:failed"], 2, "BAD_INPUT"),
        (["runs", "list", "--filter", "since:whenever"], 2, "BAD_INPUT"),
        (["runs", "set-state", NOBODY, "Succes"], 2, "BAD_INPUT"),
        (["runs", "set-state", NOBODY, "Success", "--at", "now"], 2, "BAD_INPUT"),
        (["runs", "set-state", NOBODY, "Success", "--zone", "UTC"], 2, "BAD_INPUT"),
        (["runs", "set-state", NOBODY, "Success", "--expect-version", "x"], 2, "USAGE"),
        (["runs", "set-state"], 2, "BAD_INPUT"),
        (["runs", "set-state", "Success"], 2, "BAD_INPUT"),
        (["runs", "cancel"], 2, "BAD_INPUT"),
        (["runs", "cancel", NOBODY, "--filter", "flow:x"], 2, "BAD_INPUT"),
        (["runs", "cancel", NOBODY, "--dry-run"], 4, "NOT_FOUND"),
        (["runs", "delete", "--filter", " "], 2, "BAD_INPUT"),
        (["runs", "cancel", NOBODY, NOBODY, "--expect-version", "1"], 2, "BAD_INPUT"),
        (["db", "check", "--data", "/nonexistent"], 2, "CONFIG"),
        (["db", "prune", "--older-than", "soon"], 2, "BAD_INPUT"),
        (["db", "prune", "--older-than", "0d"], 2, "BAD_INPUT"),
        (["profiles", "use", "nope"], 2, "CONFIG"),
        (["profiles", "add", "a b", "http://x"], 2, "CONFIG"),
        (["profiles", "add", "x", "gopher://x"], 2, "CONFIG"),
        (["profiles", "add", "x", "http://x", "--token", "s3cret"], 2, "CONFIG"),
        (["completion", "tcsh"], 2, "USAGE"),
    ],
)
def test_each_mistake_has_its_code(words: list[str], code: int, word: str, inside: Command) -> None:
    failed(inside(*words, "--json"), code, word)
    plain = inside(*words)
    assert (plain.code, plain.out, plain.err.count("\n")) == (code, "", 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--param", "n=ten"], "--param n=ten: expected an integer"),
        (["--param", "n"], "wants NAME=VALUE"),
        (["--param", "n=1", "--param", "n=2"], "given twice"),
        (["--param", "n=1", "--at", "03/04"], "--at"),
        (["--param", "n=1", "--at", "2026-03-29 02:30", "--zone", "Europe/Berlin"], "--at"),
        (["--param", "n=1", "--at", "now", "--zone", "Mars/Base"], "flowlatch: --zone: no zone is named"),
        (["--param", "n=1", "--at", "tomorrow 7am Mars/Base"], "flowlatch: --at: "),
        (["--param", "n=1", "--zone", "UTC"], "goes with --at"),
        (["--param", "n=1", "--key", ""], "--no-key asks for none"),
        (["--param", "n=1", "--key", "k", "--no-key"], "not both"),
    ],
)
def test_bad_input_for_a_run_writes_nothing(options: list[str], said: str, inside: Command, shared_wire: Wire) -> None:
    name = f"strict-{uuid.uuid4().hex[:8]}"
    shared_wire.create_flow(name, [{"name": "n", "required": True, "annotation": "int"}])
    done = inside("runs", "create", name, *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert inside("runs", "list", "--filter", f"flow:{name}", "--json").rows == []


def test_a_missing_required_parameter_is_refused_with_1(inside: Command, shared_wire: Wire) -> None:
    name = f"strict-{uuid.uuid4().hex[:8]}"
    shared_wire.create_flow(name, [{"name": "needed", "required": True}])
    done = inside("runs", "create", name, "--json")
    failed(done, 1, "BAD_USER_INPUT")
    assert "needed" in done.error["message"]


def test_no_server_wrong_token_and_read_only(plain: Command, shared_server: ServerProcess, shared_wire: Wire) -> None:
    failed(plain("--server", "http://127.0.0.1:9", "runs", "list", "--json"), 1, "UNREACHABLE")
    wrong = shared_server.env(FLOWLATCH_TOKEN="wrong")
    del wrong["FLOWLATCH_TOKEN_FILE"]
    refused = execute(("runs", "list", "--json"), wrong)
    failed(refused, 7, "UNAUTHENTICATED")
    assert refused.error["message"].startswith(f"{shared_server.url}: ")
    assert "--token-file" in refused.error["message"]
    run_id = shared_wire.create_run(shared_wire.create_flow("guarded"))
    done = execute(("runs", "set-state", run_id, "Success", "--read-only", "--json"), shared_server.env())
    assert (done.code, done.row["outcome"], done.error["code"]) == (7, "refused", "READ_ONLY")
    failed(execute(("--read-only", "runs", "create", "guarded", "--json"), shared_server.env()), 7, "READ_ONLY")
    assert shared_wire.states(run_id) == ["Scheduled"]


def test_a_token_comes_by_file_and_by_standard_input_only(
    plain: Command, shared_server: ServerProcess, tmp_path: Path
) -> None:
    words = ("--server", shared_server.url, "agents", "list")
    token = shared_server.token or ""
    assert plain(*words, "--token-stdin", stdin=token + "\n").code == 0
    (tmp_path / "t").write_text(f"mira {token}\n")
    assert plain(*words, "--token-file", str(tmp_path / "t")).code == 0
    assert plain(*words, "--token", token).code == 2


async def through(script: Callable[[bytes], LoseAnswer | Answer | None], server: ServerProcess, *words: str) -> Done:
    """Run a command through a proxy that chooses a fault by the request's body."""
    async with FaultyServer(upstream=server.url) as proxy:
        proxy.on_request = script
        env = server.env(FLOWLATCH_SERVER=proxy.url)
        return await asyncio.to_thread(execute, words, env)


async def test_a_lost_answer_that_cannot_be_read_back_is_unknown_and_6(
    shared_server: ServerProcess, shared_wire: Wire
) -> None:
    run_id = await asyncio.to_thread(shared_wire.create_run, await asyncio.to_thread(shared_wire.create_flow, "lost"))
    is_lost = False

    def fault(body: bytes) -> LoseAnswer | Answer | None:
        nonlocal is_lost
        is_lost = is_lost or b"mutation set_state" in body
        return LoseAnswer() if is_lost else None

    done = await through(fault, shared_server, "runs", "set-state", run_id, "Running", "--json")
    assert (done.code, done.row["outcome"], done.error["code"]) == (6, "unknown", "OUTCOME_UNKNOWN")
    assert done.row["base"]["version"] == 1


async def test_a_lost_answer_that_is_read_back_is_applied(shared_server: ServerProcess, shared_wire: Wire) -> None:
    run_id = await asyncio.to_thread(shared_wire.create_run, await asyncio.to_thread(shared_wire.create_flow, "lost"))
    lost = [LoseAnswer()]

    def fault(body: bytes) -> LoseAnswer | Answer | None:
        return lost.pop() if lost and b"mutation set_state" in body else None

    done = await through(fault, shared_server, "runs", "set-state", run_id, "Running", "--json")
    assert (done.code, done.row["outcome"], done.row["mine"]["version"]) == (0, "applied", 2)
    assert lost == []


async def test_a_login_page_is_a_foreign_server(shared_server: ServerProcess) -> None:
    page = Answer(b"<html>\x1b[2JLog in</html>", content_type="text/html")
    done = await through(lambda body: page, shared_server, "runs", "list", "--json")
    failed(done, 1, "FOREIGN_SERVER")
    assert "\\u001b" not in done.err

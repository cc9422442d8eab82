"""Who may ask: token, Host, Origin, fetch marks, read-only. Source: reliability.md §6, contract.md §1.4."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.server.conftest import one_error, raw
from tests.support.server import ServerProcess
from tests.support.wire import GraphQLErrors

HELLO = b'{"query": "{ hello }"}'


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic eDp5",
        "bearer\ttoken",
        "Bearer " + "x" * 8_000,
        "Bearer \xff",
    ],
    ids=["none", "empty", "word", "blank", "wrong", "basic", "tab", "long", "latin"],
)
@pytest.mark.parametrize("path", ["/", "/graphql"])
def test_a_wrong_token_is_told_at_http_200(shared_server: ServerProcess, header: str | None, path: str) -> None:
    reply = raw(shared_server, "POST", path, {"Authorization": header}, HELLO)
    assert reply.status == 200
    body = json.loads(reply.body)
    assert one_error(body)["extensions"]["code"] == "UNAUTHENTICATED"
    assert body.get("data") is None


def test_a_wrong_token_is_no_way_to_learn_the_schema(shared_server: ServerProcess) -> None:
    body = json.dumps({"query": "{ nonsense"}).encode()
    reply = raw(shared_server, "POST", "/graphql", {"Authorization": "Bearer wrong"}, body)
    assert (reply.status, one_error(json.loads(reply.body))["extensions"]["code"]) == (200, "UNAUTHENTICATED")


def test_the_right_token_passes_whatever_the_case_of_bearer(shared_server: ServerProcess) -> None:
    for word in ("Bearer", "bearer", "BEARER"):
        reply = raw(shared_server, "POST", "/graphql", {"Authorization": f"{word} {shared_server.token}"}, HELLO)
        assert json.loads(reply.body)["data"]["hello"]


def test_metrics_want_the_token(shared_server: ServerProcess) -> None:
    assert raw(shared_server, "GET", "/metrics", {"Authorization": None}).status == 401
    reply = raw(shared_server, "GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain")
    assert b"# TYPE flowlatch_" in reply.body


HOSTS = ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "LOCALHOST:{port}"]
FOREIGN_HOSTS = [
    None,
    "",
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example:{port}",
    "evil.localhost:{port}",
    "127.0.0.1:1",
    "localhost:0{port}0",
    "127.0.0.1:{port}@evil.example",
    "0.0.0.0:{port}",
    "[::]:{port}",
]


@pytest.mark.parametrize("host", HOSTS)
def test_our_own_names_pass(shared_server: ServerProcess, host: str) -> None:
    reply = raw(shared_server, "POST", "/graphql", {"Host": host.format(port=shared_server.port)}, HELLO)
    assert reply.status == 200


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize(("method", "path"), [("POST", "/graphql"), ("GET", "/health"), ("GET", "/metrics")])
def test_a_foreign_host_is_400(shared_server: ServerProcess, host: str | None, method: str, path: str) -> None:
    named = None if host is None else host.format(port=shared_server.port)
    reply = raw(shared_server, method, path, {"Host": named}, HELLO if method == "POST" else b"")
    assert reply.status == 400


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://127.0.0.1:{port}", "http://localhost", "file://", ""]
)
def test_any_origin_that_was_not_allowed_is_403(shared_server: ServerProcess, origin: str) -> None:
    reply = raw(shared_server, "POST", "/graphql", {"Origin": origin.format(port=shared_server.port)}, HELLO)
    assert reply.status == 403
    assert one_error(json.loads(reply.body))["extensions"]["code"] == "FORBIDDEN"
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("kind", "site", "status"),
    [
        ("application/json", "cross-site", 403),
        ("application/json", "same-site", 403),
        ("text/plain", "cross-site", 403),
        ("text/plain", "same-site", 403),
        ("text/plain", "none", 200),
        ("text/plain", "same-origin", 200),
        ("application/json", "same-origin", 200),
    ],
)
def test_a_browser_s_cross_site_request_is_403(shared_server: ServerProcess, kind: str, site: str, status: int) -> None:
    reply = raw(shared_server, "POST", "/graphql", {"Content-Type": kind, "Sec-Fetch-Site": site}, HELLO)
    assert reply.status == status


def test_names_and_origins_can_be_allowed_exactly(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server("--allow-host", "ops.example", "--allow-origin", "https://ops.example")
    assert raw(server, "POST", "/graphql", {"Host": "ops.example"}, HELLO).status == 200
    assert raw(server, "POST", "/graphql", {"Host": "x.ops.example"}, HELLO).status == 400
    assert raw(server, "POST", "/graphql", {"Host": "ops.example.evil"}, HELLO).status == 400
    assert raw(server, "POST", "/graphql", {"Origin": "https://ops.example"}, HELLO).status == 200
    assert raw(server, "POST", "/graphql", {"Origin": "https://ops.example.evil"}, HELLO).status == 403
    assert raw(server, "POST", "/graphql", {"Origin": "http://ops.example"}, HELLO).status == 403
    plain = {"Origin": "https://ops.example", "Content-Type": "text/plain"}
    assert raw(server, "POST", "/graphql", plain, HELLO).status in (400, 403, 415)


def test_without_auth_any_token_or_none_passes(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server("--no-auth")
    for header in (None, "Bearer anything"):
        assert raw(server, "POST", "/", {"Authorization": header}, HELLO).status == 200
    assert not (server.data / "token").exists()
    assert "no authentication" in server.log


def test_a_read_only_server_refuses_every_mutation(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server("--read-only")
    wire = server.wire()
    assert wire.data("{ api { capabilities { read_only } } tenant { slug } }") == {
        "api": {"capabilities": {"read_only": True}},
        "tenant": [{"slug": "default"}],
    }
    for document in (
        'mutation { create_project(input: {name: "p"}) { id } }',
        'mutation { createTenant(input: {name: "p", slug: "p"}) { id } }',
        "mutation { get_runs_in_queue(input: {}) { flow_run_ids } }",
    ):
        with pytest.raises(GraphQLErrors) as caught:
            wire.data(document)
        assert caught.value.code == "READ_ONLY"
    assert wire.data("{ project { id } tenant { slug } }") == {"project": [], "tenant": [{"slug": "default"}]}


def test_a_token_file_names_its_users(
    start_server: Callable[..., ServerProcess], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    path.write_text("ada secret-of-ada\nplain-secret\n", "utf-8")
    path.chmod(0o600)
    server = start_server("--token-file", str(path))

    def actor_of(token: str, **headers: str) -> str | None:
        sent = {"Authorization": f"Bearer {token}", "X-Flowlatch-Actor": "m%C3%A9lanie%40host", **headers}
        wire = server.wire(**sent)
        run_id = wire.create_run(wire.create_flow(f"flow for {token}"))
        found: str | None = wire.run(run_id)["states"][0]["actor"]
        return found

    assert actor_of("secret-of-ada") == "ada"
    assert actor_of("plain-secret") == "mélanie@host"
    refused = raw(server, "POST", "/", {"Authorization": "Bearer ada secret-of-ada"}, HELLO, authorised=False)
    assert b"UNAUTHENTICATED" in refused.body


def test_introspection_can_be_switched_off(start_server: Callable[..., ServerProcess]) -> None:
    wire = start_server("--no-introspection").wire()
    for document in ("{ __schema { types { name } } }", '{ __type(name: "flow_run") { name } }'):
        response = wire.post(document)
        assert response.status_code == 400
        one_error(response.json())
    assert wire.data("{ __typename tenant { __typename } }") == {
        "__typename": "Query",
        "tenant": [{"__typename": "tenant"}],
    }


def test_no_secret_is_in_the_log(start_server: Callable[..., ServerProcess]) -> None:
    server = start_server()
    raw(server, "POST", "/graphql", {"Authorization": "Bearer canary-of-a-stranger"}, HELLO)
    raw(server, "POST", "/graphql", body=b'{"query": "{ hello ", "variables": {"x": "canary-variable"}}')
    token = server.token or ""
    server.stop()
    assert token
    assert token not in server.log
    assert "canary" not in server.log

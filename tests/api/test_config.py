"""The configuration file, the environment, options and tokens: what is taken, what is refused, and in which order."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import pytest

from flowlatch.config import Secret, Settings, load_settings, places, resolve
from flowlatch.config_edit import add_profile, found_profiles, save_filter, use_profile
from flowlatch.errors import ConfigError
from flowlatch.places import brief
from flowlatch.secret import read_secret

CANARY = "canary-token-7f3a"


def write(home: Path, text: str, mode: int = 0o600) -> Path:
    """Write the configuration file of this test's home and return its path."""
    path = home / "config.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_without_a_file_the_embedded_server_is_the_default() -> None:
    settings = load_settings()
    assert settings == Settings()
    target = resolve(settings)
    assert target.profile.is_embedded
    assert target.profile.name == "local"
    assert target.token is None


def test_a_whole_profile_is_read(home: Path) -> None:
    write(
        home,
        """
        default = "prod"
        theme = "light"
        [profiles.prod]
        url = "https://ops.example/graphql/"
        kind = "prefect1"
        token = "env:PROD_TOKEN"
        production = true
        read_only = true
        poll_s = 5
        columns = ["state", "name"]
        filter = "state:failed since:2h"
        [profiles.prod.filters]
        nightly = "flow:etl*"
        [keys]
        edit_state = ["e", "m"]
        quit = "Q"
        """,
    )
    settings = load_settings()
    assert settings.problems == []
    assert settings.theme == "light"
    assert settings.keys == {"edit_state": ["e", "m"], "quit": ["Q"]}
    target = resolve(settings, environ={"PROD_TOKEN": CANARY, "FLOWLATCH_ACTOR": "ann"})
    profile = target.profile
    assert (profile.url, profile.kind, profile.poll_s) == ("https://ops.example/graphql", "prefect1", 5)
    assert profile.production
    assert profile.read_only
    assert profile.filters == {"nightly": "flow:etl*"}
    assert target.token == Secret(CANARY)
    assert target.actor == "ann"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("theme = 3", 1, "theme: wants the name of a theme"),
        ("colour = 'red'", 1, "colour: unknown key"),
        (
            "[profiles.a]\nurl = 'http://a'\npoll_s = 0.5",
            3,
            "profiles.a.poll_s: wants a number of seconds from 1 to 3600",
        ),
        (
            "[profiles.a]\nurl = 'http://a'\npoll_s = nan",
            3,
            "profiles.a.poll_s: wants a number of seconds from 1 to 3600",
        ),
        ("[profiles.a]\nurl = 'http://a'\n\nproduktion = true", 4, "profiles.a.produktion: unknown key"),
        ("[profiles.a]\nurl = 'http://a'\ncolumns = 'state'", 3, "profiles.a.columns: wants a list of texts"),
        ("[profiles.a]\nurl = 'ftp://a'", 2, "profiles.a.url: url 'ftp://a': wants http://HOST"),
        ("[profiles.a]\nurl = 'http://a'\nkind = 'prefect2'", 3, "profiles.a.kind: wants one of auto, flowlatch"),
        ("[profiles.a]\nurl = 'http://a'\ntoken = 'flie:x'", 3, "profiles.a.token: unknown source; allowed: file:PATH"),
        ("[profiles.a]\nkind = 'auto'", 1, "profiles.a.url: is missing"),
        ("\ndefault = 'nope'", 2, "default: no profile is named 'nope'"),
        ("[keys]\nx = 3", 2, "keys.x: wants a key or a list of keys"),
    ],
)
def test_a_mistake_is_one_line_with_file_line_and_key(home: Path, text: str, line: int, words: str) -> None:
    path = write(home, text)
    settings = load_settings()
    assert len(settings.problems) == 1, settings.problems
    assert settings.problems[0].startswith(f"{path}:{line}: {words}")
    assert "\n" not in settings.problems[0]
    assert path.read_text() == text


@pytest.mark.parametrize("content", [b"[profiles", b"a = [\n1", b"\xff\xfe", b"x = " + b"[" * 5000])
def test_a_broken_file_means_defaults_and_stays_as_it_is(home: Path, content: bytes) -> None:
    path = home / "config.toml"
    path.write_bytes(content)
    settings = load_settings()
    assert settings.problems[0].startswith(f"{path}: ")
    assert "defaults are used" in settings.problems[0]
    assert resolve(settings).profile.is_embedded
    with pytest.raises(ConfigError, match="no profile is named 'prod'"):
        resolve(settings, profile="prod")
    with pytest.raises(ConfigError, match="not changed"):
        use_profile(path, "prod")
    assert path.read_bytes() == content


def test_an_unreadable_safety_mark_counts_as_set(home: Path) -> None:
    write(home, "[profiles.a]\nurl = 'http://a'\nread_only = 'yes'\nproduction = 1")
    profile = load_settings().profiles["a"]
    assert profile.read_only
    assert profile.production


def test_a_profile_that_cannot_be_used_is_refused_by_its_own_problem(home: Path) -> None:
    path = write(home, "default = 'a'\n[profiles.a]\nurl = 'http://u:p@h'")
    with pytest.raises(ConfigError, match=rf"{path}:3: profiles\.a\.url: no user or password in it"):
        resolve(load_settings())


def test_a_literal_token_needs_a_private_file(home: Path) -> None:
    text = f"[profiles.a]\nurl = 'https://a'\ntoken = '{CANARY}'"
    path = write(home, text, mode=0o644)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}") as caught:
        resolve(load_settings(), profile="a")
    assert CANARY not in str(caught.value)
    path.chmod(0o600)
    settings = load_settings()
    assert resolve(settings, profile="a").token == Secret(CANARY)
    assert CANARY not in repr(settings)


@pytest.mark.parametrize(
    "url",
    ["", "ops:4200", "ftp://ops", "http://", "http://u:p@ops", "http://u@ops", "http://ops:99999", "http://ops:x", "http://ops:0",
     "http://op s", "http://ops\x1b[2J", "http://ops/?token=1", "http://ops/#x", "file:///etc/passwd", "http://[::1"],
)  # fmt: skip
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(Settings(), server=url)
    assert "http" in str(caught.value) or "user or password" in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "taken"),
    [("http://[::1]:4200/", "http://[::1]:4200"), ("https://ops.example/a/graphql/", "https://ops.example/a/graphql")],
)
def test_a_url_is_taken_without_its_last_slash(url: str, taken: str) -> None:
    assert resolve(Settings(), server=url).profile.url == taken


def two_servers(home: Path) -> Settings:
    write(home, f"[profiles.a]\nurl = 'https://a'\ntoken = '{CANARY}'\n[profiles.b]\nurl = 'https://b'")
    return load_settings()


def test_option_wins_over_environment_and_environment_over_default(home: Path) -> None:
    settings = two_servers(home)
    environ = {"FLOWLATCH_PROFILE": "b"}
    assert resolve(settings, environ={}).profile.name == "local"
    assert resolve(settings, environ=environ).profile.name == "b"
    assert resolve(settings, profile="a", environ=environ).profile.name == "a"
    assert resolve(settings, server="https://c", environ=environ).profile.url == "https://c"
    with pytest.raises(ConfigError, match="not both"):
        resolve(settings, server="https://c", profile="a")
    with pytest.raises(ConfigError, match="both set"):
        resolve(settings, environ={**environ, "FLOWLATCH_SERVER": "https://c"})


def test_a_token_goes_only_to_the_url_it_was_given_with(home: Path, tmp_path: Path) -> None:
    settings = two_servers(home)
    from_env = {"FLOWLATCH_SERVER": "https://c", "FLOWLATCH_TOKEN": "env-token"}
    assert resolve(settings, server="https://a", environ={}).token is None
    assert resolve(settings, profile="b", environ=from_env).token is None
    assert resolve(settings, server="https://d", environ=from_env).token is None
    assert resolve(settings, environ=from_env).token == Secret("env-token")
    assert resolve(settings, server="https://c/", environ=from_env).token == Secret("env-token")
    assert resolve(settings, server="https://d", environ={"FLOWLATCH_TOKEN": "env-token"}).token == Secret("env-token")
    file = tmp_path / "token"
    file.write_text("\n  operator file-token \nsecond\n")
    assert resolve(settings, profile="a", token_file=file).token == Secret("file-token")
    both = {"FLOWLATCH_TOKEN_FILE": str(file), "FLOWLATCH_TOKEN": "env-token"}
    assert resolve(settings, server="https://d", environ=both).token == Secret("file-token")
    assert resolve(settings, server="https://d", token_stdin=True, stdin=io.StringIO(" typed \n")).token == Secret(
        "typed"
    )


def test_a_token_is_not_sent_in_clear_text_to_another_machine(home: Path) -> None:
    environ = {"FLOWLATCH_TOKEN": CANARY}
    with pytest.raises(ConfigError, match="clear text"):
        resolve(Settings(), server="http://10.0.0.1:4200", environ=environ)
    with pytest.raises(ConfigError, match="clear text"):
        resolve(Settings(), server="http://127.0.0.1.evil.example", environ=environ)
    assert resolve(Settings(), server="http://127.0.0.1:4200", environ=environ).token
    write(home, "[profiles.a]\nurl = 'http://10.0.0.1'\ntoken = 'env:T'\ninsecure = true")
    assert resolve(load_settings(), profile="a", environ={"T": "x"}).token == Secret("x")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("env:MISSING", "the variable is not set"),
        ("file:/nowhere/token", "No such file"),
        ("command:false", "it ended with status 1"),
        ("command:/nowhere/program", "it cannot be run"),
        ("command:'", "it cannot be run"),
        ("command:true", "it is empty"),
        ("env:CONTROL", "only printable ASCII"),
        ("env:UNICODE", "only printable ASCII"),
        ("env:HUGE", "longer than 8192 bytes"),
        ("basic:literal", "wants a source behind it"),
        ("keyring:", "keyring"),
    ],
)
def test_a_token_that_cannot_be_had_is_one_clear_line(source: str, problem: str) -> None:
    environ = {"CONTROL": f"{CANARY}\x07", "UNICODE": f"{CANARY}é", "HUGE": CANARY * 1000}
    with pytest.raises(ConfigError, match=problem) as caught:
        read_secret(source, environ=environ)
    assert CANARY not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tokens_come_from_commands_and_for_basic_authentication(tmp_path: Path) -> None:
    assert read_secret("command:printf ' %s\\n' abc").header() == "Bearer abc"
    file = tmp_path / "pair"
    file.write_text("user:pass word\n")
    assert read_secret(f"basic:file:{file}").header() == "Basic dXNlcjpwYXNzIHdvcmQ="


def test_a_secret_shows_nothing() -> None:
    secret = Secret(CANARY)
    shown: list[Any] = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", repr({"token": secret})]
    assert not any(CANARY in text for text in shown)
    assert secret == Secret(CANARY)
    assert secret != Secret(CANARY, is_basic=True)
    for copying in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            copying(secret)


def test_profiles_are_added_without_touching_the_rest(home: Path) -> None:
    path = write(home, '# mine\ntheme = "light" # soft\n\n[profiles.a]\nurl = "http://a"\n', mode=0o644)
    use_profile(path, "b")
    add_profile(path, "b", "https://b/graphql/", token="file:~/t", production=True)
    add_profile(path, "a", "http://a2", poll_s=9)
    save_filter(path, "b", "bad ones", "state:failed")
    settings = load_settings()
    assert settings.problems == []
    assert settings.default == "b"
    assert settings.profiles["b"].url == "https://b/graphql"
    assert settings.profiles["b"].filters == {"bad ones": "state:failed"}
    assert (settings.profiles["a"].url, settings.profiles["a"].poll_s) == ("http://a2", 9)
    assert "# mine" in path.read_text()
    assert "# soft" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in home.iterdir()] == ["config.toml"]
    save_filter(path, "b", "bad ones", "")
    assert load_settings().profiles["b"].filters == {}


@pytest.mark.parametrize(
    ("name", "url", "options"),
    [
        ("local", "http://a", {}),
        ("a b", "http://a", {}),
        ("a", "nope", {}),
        ("a", "http://a", {"token": CANARY}),
        ("a", "http://a", {"poll_s": 0}),
        ("a", "http://a", {"colour": 1}),
    ],
)
def test_a_profile_that_cannot_be_used_is_not_added(home: Path, name: str, url: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        add_profile(home / "config.toml", name, url, **options)
    assert CANARY not in str(caught.value)
    assert not (home / "config.toml").exists()


def test_prefect_users_are_offered_their_own_servers(tmp_path: Path) -> None:
    base = tmp_path / ".prefect"
    base.mkdir()
    (base / "config.toml").write_text('[server]\nhost = "http://old"\nport = 4201\n[cloud]\napi_key = "x"\n')
    (base / "profiles.toml").write_text(
        'active = "lab"\n[profiles.none]\n[profiles.lab]\n'
        'PREFECT_API_URL = "http://lab:4200/api"\nPREFECT_API_KEY = "k"\n'
    )
    found = found_profiles({"PREFECT__SERVER__ENDPOINT": "http://e:1/graphql"}, tmp_path)
    assert [(one.name, one.url, one.kind) for one in found] == [
        ("prefect1-env", "http://e:1/graphql", "prefect1"),
        ("prefect1", "http://old:4201", "prefect1"),
        ("prefect3-lab", "http://lab:4200/api", "prefect3"),
    ]
    (base / "config.toml").write_text("[broken")
    (base / "profiles.toml").write_bytes(b"\xff")
    assert found_profiles({}, tmp_path) == []


def test_a_path_below_home_is_told_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "you"))
    assert brief(tmp_path / "you" / "state" / "journal.jsonl") == "~/state/journal.jsonl"
    assert brief(tmp_path / "you") == str(tmp_path / "you")
    assert brief(tmp_path / "your" / "x") == str(tmp_path / "your" / "x")


def test_places_follow_flowlatch_home(tmp_path: Path) -> None:
    found = places({"FLOWLATCH_HOME": str(tmp_path)})
    assert (found.config_file, found.data, found.state) == (
        tmp_path / "config.toml",
        tmp_path / "data",
        tmp_path / "state",
    )
    assert places({}).data.name == "flowlatch"

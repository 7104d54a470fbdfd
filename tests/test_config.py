"""Options: one row makes a flag, a variable and a file's key, and whoever speaks closest wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bridge import config
from bridge.cli import COMMANDS
from bridge.config import TABLE, Config, Option, load
from bridge.labels.types import Address
from bridge.model.problem import UsageError
from bridge.routes import Health

SECRET = "correct horse"
EVERY_SWITCH = [option for option in TABLE if not option.metavar and not option.secret]


def told(
    command: str = "sync", flags: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
) -> Config:
    return load(command, flags or {}, environment or {})


def refused(flags: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        told("sync", flags, environment)
    return caught.value


def file_of(folder: Path, text: str) -> dict[str, str]:
    path = folder / "bridge.toml"
    path.write_text(text)
    return {"config": str(path)}


# The table


def test_a_row_makes_all_three_names() -> None:
    row = config.STORE_CA
    assert (row.flag, row.variable, row.name) == ("--store-ca", "BRIDGE_STORE_CA", "store-ca")


def test_no_two_rows_share_a_name_and_each_is_for_a_command_that_exists() -> None:
    assert len({row.variable for row in TABLE}) == len(TABLE)
    assert all(row.commands and row.commands <= COMMANDS.keys() for row in TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_default_is_one_that_a_user_could_write(row: Option[object]) -> None:
    if row.default:
        row.parse(row.default)


def test_the_defaults_are_those_that_help_shows() -> None:
    said = told()
    assert said.get(config.CLUSTER) == "default"
    assert said.get(config.TTL) == 0
    assert said.find(config.READ_TIME) is None
    assert said.get(config.BRAKE) == 0.5
    assert said.get(config.HEALTH) is Health.AUTO
    assert said.get(config.ADDRESS) is Address.CONTAINER
    assert said.get(config.OUTPUT) is config.Output.TEXT
    assert not said.get(config.FORCE)
    assert not said.get(config.NO_BACKSTOP)


# Who wins


def test_a_flag_wins_over_a_variable_and_that_over_the_file_and_that_over_the_default(tmp_path: Path) -> None:
    in_file = file_of(tmp_path, 'cluster = "from-file"')
    variable = {"BRIDGE_CLUSTER": "from-variable"}
    assert told("sync", {**in_file, "cluster": "from-flag"}, variable).get(config.CLUSTER) == "from-flag"
    assert told("sync", in_file, variable).get(config.CLUSTER) == "from-variable"
    assert told("sync", in_file).get(config.CLUSTER) == "from-file"
    assert told("sync").get(config.CLUSTER) == "default"


def test_a_variable_can_name_the_file_and_take_back_a_switch_that_it_sets(tmp_path: Path) -> None:
    named = {"BRIDGE_CONFIG": file_of(tmp_path, "force = true")["config"]}
    assert told("sync", {}, named).get(config.FORCE)
    assert not told("sync", {}, {**named, "BRIDGE_FORCE": "F"}).get(config.FORCE)


def test_an_empty_variable_says_nothing() -> None:
    assert told("sync", {}, {"BRIDGE_CLUSTER": ""}).get(config.CLUSTER) == "default"


def test_a_file_may_speak_to_several_commands(tmp_path: Path) -> None:
    """What one of them does not take is no error for it, and does not reach it."""
    said = told("show", file_of(tmp_path, 'store = "etcd://h"\nttl = "5m"'))
    assert said.get(config.STORE).url == "etcd://h"
    assert said.get(config.TTL) == 0


# What may be said


@pytest.mark.parametrize(
    ("text", "seconds"), [("300", 300), ("300s", 300), ("5m", 300), ("1h", 3600), ("0", 0), ("0h", 0)]
)
def test_a_ttl_is_said_in_seconds_minutes_or_hours(text: str, seconds: int) -> None:
    assert told("sync", {"ttl": text}).get(config.TTL) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("2", 2.0), ("0.5", 0.5), ("1.5s", 1.5), ("1m", 60.0), ("0", 0.0)])
def test_a_read_time_may_have_a_fraction(text: str, seconds: float) -> None:
    assert told("sync", {"read-time": text}).find(config.READ_TIME) == seconds


@pytest.mark.parametrize(("text", "share"), [("0.5", 0.5), ("50%", 0.5), ("0", 0.0), ("1", 1.0), ("100%", 1.0)])
def test_the_brake_is_a_share(text: str, share: float) -> None:
    assert told("sync", {"brake": text}).get(config.BRAKE) == share


@pytest.mark.parametrize(
    "text", ["a..b:80", ".b:80", f"{'a' * 64}:80", f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 63}:80"]
)
def test_where_to_listen_is_no_name_that_no_resolver_would_take(text: str) -> None:
    """Python's own look-up raises what nobody expects of it."""
    with pytest.raises(UsageError):
        told("run", {"http": text})


@pytest.mark.parametrize("name", ["a", "berlin", "berlin-2", "2"])
def test_a_cluster_may_be_named(name: str) -> None:
    assert told("sync", {"cluster": name}).get(config.CLUSTER) == name


@pytest.mark.parametrize("row", EVERY_SWITCH, ids=lambda row: row.name)
def test_a_switch_takes_the_words_of_go_from_variable_and_file(row: Option[object], tmp_path: Path) -> None:
    (command, *_) = sorted(row.commands)
    for word, meant in (("true", True), ("1", True), ("T", True), ("false", False), ("0", False), ("F", False)):
        assert told(command, {}, {row.variable: word}).get(row) is meant
    if row.in_file:
        assert told(command, file_of(tmp_path, f"{row.name} = true")).get(row) is True


BAD = [
    ("ttl", "1y", "seconds"),
    ("ttl", "-1", "seconds"),
    ("ttl", "1.5", "seconds"),
    ("read-time", "soon", "seconds"),
    ("read-time", "nan", "seconds"),
    ("read-time", "1h", "at most 1800"),
    ("brake", "150%", "share"),
    ("brake", "half", "share"),
    ("cluster", "Berlin", "lower-case"),
    ("cluster", "a--b", "single dashes"),
    ("cluster", "-a", "no dash at an end"),
    ("cluster", "a-", "no dash at an end"),
    ("cluster", "a/b", "lower-case"),
    ("cluster", "a\n", "lower-case"),
    ("cluster", "", "lower-case"),
    ("cluster", "a" * 64, "at most 63"),
    ("replica", "a/b", "letters"),
    ("health", "maybe", "auto, require, optional, ignore"),
    ("output", "yaml", "text, json"),
    ("source", "ftp://x", "file:PATH"),
    ("store", "redis://x:1", "etcd://"),
    ("store", "etcd://:1", "no host"),
]


@pytest.mark.parametrize(("name", "text", "remedy"), BAD)
def test_a_bad_value_is_told_with_its_origin_and_a_remedy(name: str, text: str, remedy: str, tmp_path: Path) -> None:
    row = next(row for row in TABLE if row.name == name)
    found = refused({name: text})
    assert (found.thing, found.value, found.exit_code) == (row.flag, text, 2)
    assert remedy in found.remedy
    if text:
        assert refused({}, {row.variable: text}).thing == row.variable
    if text and text.isprintable():
        in_file = file_of(tmp_path, f'{name} = "{text}"')
        assert refused(in_file).thing == f"{name} in {in_file['config']}"


@pytest.mark.parametrize("word", ["yes", "on", "TrUe", "2"])
def test_a_switch_takes_no_other_word(word: str) -> None:
    found = refused({}, {"BRIDGE_FORCE": word})
    assert (found.thing, found.value) == ("BRIDGE_FORCE", word)
    assert "true or false" in found.remedy


def test_what_must_be_said_and_is_not_names_all_three_ways() -> None:
    with pytest.raises(UsageError, match=r"--store: is needed; give --store URL, BRIDGE_STORE or store in"):
        told().get(config.STORE)


# The file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tll = 5", r"tll in \S+: is no option; you may mean ttl"),
        ("store_ca = 5", r"store_ca in \S+: is no option; you may mean store-ca"),
        ("xyz = 5", r"xyz in \S+: is no option; use one of source, store, "),
        ('config = "other"', r"config in \S+: is no option"),
        ("[sync]\nttl = 5", r"sync in \S+: is no option"),
        ("ttl = [1]", r"ttl in \S+: use one text, number"),
        ("ttl = 1979-05-27", r"ttl in \S+: use one text, number"),
        (f"ttl = 0x{'f' * 9000}", r"ttl in \S+: use one text, number"),
        ("ttl =", r"is no TOML"),
        ("ttl = " + "[" * 100_000, r"is no TOML"),
    ],
)
def test_a_file_that_cannot_be_taken_is_told(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        told("sync", file_of(tmp_path, text))


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_told_by_flag_or_variable(name: str, tmp_path: Path) -> None:
    path = str(tmp_path / name)
    assert refused({"config": path}).thing == "--config"
    found = refused({}, {"BRIDGE_CONFIG": path})
    assert (found.thing, found.value) == ("BRIDGE_CONFIG", path)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    assert "is no text in UTF-8" in refused({"config": str(tmp_path / "x.toml")}).remedy


# The secret


def test_a_password_stands_in_no_file_and_is_not_repeated(tmp_path: Path) -> None:
    found = refused(file_of(tmp_path, f'store-password = "{SECRET}"'))
    assert SECRET not in str(found)
    assert "BRIDGE_STORE_PASSWORD or --store-password-file" in found.remedy


@pytest.mark.parametrize("text", [f'[store]\npassword = "{SECRET}"', f'store-user = ["bob", "{SECRET}"]'])
def test_a_password_that_stands_where_none_belongs_is_not_repeated(text: str, tmp_path: Path) -> None:
    assert SECRET not in str(refused(file_of(tmp_path, text)))


@pytest.mark.parametrize("variable", ["BRIDGE_STORE_PASSWORD", "BRIDGE_STORE_USER", "BRIDGE_STORE_TOKEN"])
def test_a_login_that_no_store_can_be_sent_is_told_and_not_repeated(variable: str) -> None:
    found = refused({}, {variable: f"{SECRET}\udcff"})
    assert found.thing == variable
    assert "UTF-8" in found.remedy
    assert SECRET not in str(found)


SECRETS = pytest.mark.parametrize(
    ("name", "read"), [("store-password", config.store_password), ("store-token", config.store_token)]
)


@SECRETS
def test_a_secret_comes_from_the_environment_or_from_a_file(
    name: str, read: Callable[[config.Config], str], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    path, variable = str(tmp_path / "secret"), f"BRIDGE_{name.upper().replace('-', '_')}"
    assert read(told()) == ""
    assert read(told("sync", {}, {variable: SECRET})) == SECRET
    assert read(told("sync", {f"{name}-file": path})) == SECRET
    assert read(told("sync", {}, {f"{variable}_FILE": path})) == SECRET


@SECRETS
def test_a_secrets_file_that_cannot_be_used_is_named(
    name: str, read: Callable[[config.Config], str], tmp_path: Path
) -> None:
    (tmp_path / "empty").write_text("\n")
    for path, word in ((tmp_path / "missing", "cannot be read"), (tmp_path / "empty", "is empty")):
        with pytest.raises(UsageError, match=word) as caught:
            read(told("sync", {f"{name}-file": str(path)}))
        assert (caught.value.thing, caught.value.value) == (f"--{name}-file", str(path))


@SECRETS
def test_two_secrets_are_one_too_many(name: str, read: Callable[[config.Config], str], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("other")
    variable = f"BRIDGE_{name.upper().replace('-', '_')}"
    both = {variable: SECRET, f"{variable}_FILE": str(tmp_path / "secret")}
    with pytest.raises(UsageError, match="leave one of them out") as caught:
        read(told("sync", {}, both))
    assert SECRET not in str(caught.value)


@SECRETS
def test_no_text_of_what_was_said_holds_the_secret(name: str, read: Callable[[config.Config], str]) -> None:
    said = told("sync", {}, {f"BRIDGE_{name.upper().replace('-', '_')}": SECRET})
    assert read(said) == SECRET
    assert SECRET not in repr(said)


# Errors from further in


def test_an_error_from_further_in_names_where_the_value_was_said() -> None:
    said = told("sync", {}, {"BRIDGE_STORE_CA": "/nope"})
    assert said.blamed(UsageError("--store-ca", "/nope", "x")).thing == "BRIDGE_STORE_CA"
    assert said.blamed(UsageError("--cluster", "default", "x")).thing == "--cluster"

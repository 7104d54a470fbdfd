"""What is made of pip-audit's answers. The answers are made up: the service is not on the machine."""

from __future__ import annotations

import json
from typing import Any

from tests.audit import audit


def answer(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def package(*vulns: dict[str, Any]) -> dict[str, Any]:
    return {"name": "requests", "version": "2.32.4", "vulns": list(vulns)}


def flaw(*fixed: str) -> dict[str, Any]:
    return {"id": "PYSEC-1", "fix_versions": list(fixed), "aliases": [], "description": "…"}


def test_nothing_found_is_said_with_how_many_were_looked_at() -> None:
    found = audit(answer(package()))
    assert found.lines == ("1 of 1 packages audited, 0 known flaws",)
    assert not found.must_act


def test_a_flaw_that_a_newer_version_mends_fails() -> None:
    found = audit(answer(package(flaw("2.32.5"))))
    assert found.must_act
    assert found.lines[-1] == "requests 2.32.4: PYSEC-1; mended in 2.32.5: make requirements"


def test_a_flaw_that_nothing_mends_is_shown_alone() -> None:
    found = audit(answer(package(flaw())))
    assert not found.must_act
    assert found.lines[-1] == "requests 2.32.4: PYSEC-1; no version mends it yet"


def test_a_mended_flaw_beside_one_that_is_not_still_fails() -> None:
    assert audit(answer(package(flaw(), flaw("3")))).must_act


def test_what_could_not_be_looked_up_is_named_and_fails_nothing() -> None:
    found = audit(answer(package(), {"name": "grpcio", "skip_reason": "not found"}))
    assert found.lines == (
        "1 of 2 packages audited, 0 known flaws",
        "not audited, since the service does not know them: grpcio",
    )
    assert not found.must_act


def test_no_answer_is_told_and_fails_nothing() -> None:
    for nothing in ("", "{", "[]", "{}"):
        assert audit(nothing).lines == ("not audited: pip-audit gave no answer, see above",)
        assert not audit(nothing).must_act

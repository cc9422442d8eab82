"""What became of a change: the row that is printed, the line on stderr, the exit code (design.md §9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from flowlatch.cli.output import Output
from flowlatch.cli.rows import Row, mine, side, sides, whole_run
from flowlatch.errors import NotFound, OutcomeUnknown, ReadOnly, Unauthorized, Unreachable, VersionConflict
from flowlatch.live.create import CreateOutcome, RunCreated, RunExisted
from flowlatch.live.desk import Cancelled, CancelOutcome, Deleted, DeleteOutcome
from flowlatch.live.edit import Agreed, Applied, Base, Conflict, EditOutcome, Gone, NotSent, Refused, Unknown
from flowlatch.model.state import StateDraft
from flowlatch.model.versions import version_label
from flowlatch.text import one_line

REFUSED_EXIT = 1
_REFUSED_EXITS = {ReadOnly.code: ReadOnly.exit_code, Unauthorized.code: Unauthorized.exit_code}


@dataclass(frozen=True)
class Result:
    """One run's result. `code` and `reason` are empty when all went well."""

    outcome: str
    row: Row
    exit_code: int = 0
    code: str = ""
    reason: str = ""

    def tell(self, out: Output) -> int:
        """Print the error line, if there is one, and return the exit code."""
        if self.exit_code:
            out.error(self.code, self.reason)
        return self.exit_code


def told_change(
    outcome: EditOutcome | CancelOutcome | DeleteOutcome, base: Base, draft: StateDraft, actor: str
) -> Result:
    """Return the result of a change of one run."""
    row: Row = {
        "outcome": "",
        "id": base.run_id,
        "base": side(base.state),
        "theirs": None,
        "mine": mine(draft, base.version + 1, actor),
        "between": [],
    }
    match outcome:
        case Applied(version=version, later=later):
            row["mine"] = mine(draft, version, actor)
            return _result("applied", row | {"theirs": side(later[-1]) if later else None, "between": sides(later)})
        case Cancelled(state=state):
            return _told_cancel(state, row, base)
        case Deleted():
            return _result("applied", row | {"mine": None})
        case Agreed(theirs=theirs):
            row |= {"theirs": side(theirs), "between": sides([theirs]), "kind": "already so"}
            there = version_label(theirs.version)
            reason = f"flow run {base.run_id}: somebody else has set exactly this ({there}); nothing was written"
            return _result("conflict", row, VersionConflict.exit_code, VersionConflict.code, reason)
        case Conflict():
            return _told_conflict(outcome, row)
        case Refused(reason=reason, code=code):
            exit_code = _REFUSED_EXITS.get(code, REFUSED_EXIT)
            return _result("refused", row | {"reason": reason}, exit_code, code, reason)
        case Gone():
            reason = f"flow run {base.run_id} does not exist any more"
            return _result("gone", row, NotFound.exit_code, NotFound.code, reason)
        case NotSent(reason=reason):
            return _result("not sent", row | {"reason": reason}, Unreachable.exit_code, Unreachable.code, reason)
        case Unknown(reason=reason):
            row |= {"reason": reason}
            return _result("unknown", row, OutcomeUnknown.exit_code, OutcomeUnknown.code, reason)
        case _:
            assert_never(outcome)


def _result(outcome: str, row: Row, exit_code: int = 0, code: str = "", reason: str = "") -> Result:
    return Result(outcome, row | {"outcome": outcome}, exit_code, code, reason)


def _told_cancel(state: str, row: Row, base: Base) -> Result:
    """A cancel of a finished run changes nothing: the server answers with the state it has, without a version."""
    if state in ("Cancelled", "Cancelling"):
        row["mine"] |= {"state": state, "version": None}
        return _result("applied", row)
    reason = f"flow run {base.run_id} cannot be cancelled: it is {one_line(state, 40)}"
    return _result("refused", row | {"reason": reason}, REFUSED_EXIT, "REJECTED", reason)


def _told_conflict(conflict: Conflict, row: Row) -> Result:
    row |= {"theirs": side(conflict.theirs), "between": sides(conflict.between), "kind": str(conflict.kind)}
    base, theirs = conflict.base, conflict.theirs
    now = f"it has {version_label(theirs.version)} {one_line(theirs.name, 40)} now"
    written = "it was written over a change in between" if conflict.is_written else "nothing was written"
    reason = f"flow run {base.run_id}: {version_label(base.version)} was expected, {now} ({conflict.kind}); {written}"
    return _result("conflict", row, VersionConflict.exit_code, VersionConflict.code, reason)


def told_create(outcome: CreateOutcome) -> Result:
    """Return the result of a create."""
    match outcome:
        case (
            RunCreated(run=run, id=run_id, expires_at=expires_at)
            | RunExisted(run=run, id=run_id, expires_at=expires_at)
        ):
            differences = outcome.differences if isinstance(outcome, RunExisted) else ()
            names = list(dict.fromkeys(difference.name.split(".")[0] for difference in differences))
            ends = expires_at.isoformat(timespec="microseconds") if expires_at else None
            word = "existing" if isinstance(outcome, RunExisted) else "created"
            row = (whole_run(run) if run else {}) | {"id": run_id, "mismatch": names, "expires_at": ends}
            return Result(word, {"outcome": word} | row)
        case Refused(reason=reason, code=code):
            return _result("refused", {}, _REFUSED_EXITS.get(code, REFUSED_EXIT), code, reason)
        case Gone():
            return _result("gone", {}, NotFound.exit_code, NotFound.code, "the flow does not exist any more")
        case NotSent(reason=reason):
            return _result("not sent", {}, Unreachable.exit_code, Unreachable.code, reason)
        case Unknown(reason=reason):
            return _result("unknown", {}, OutcomeUnknown.exit_code, OutcomeUnknown.code, reason)
        case _:
            assert_never(outcome)


def exit_code_of(results: list[Result]) -> int:
    """Return the exit code of many: 6 if any outcome is unknown, else 5 for a conflict, else 1 if any failed."""
    codes = {result.exit_code for result in results}
    if OutcomeUnknown.exit_code in codes:
        return OutcomeUnknown.exit_code
    if VersionConflict.exit_code in codes:
        return VersionConflict.exit_code
    return 1 if codes - {0} else 0

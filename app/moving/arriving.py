"""What an export has, put into a store, session by session: what is there already is left alone,
so an import that was broken off is simply made again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from app.core.store import MovableStore, StoredOtherwise
from app.core.usage import CostOf, no_cost
from app.moving.held import HeldBytes
from app.moving.lines import BytesLine, Header, OwnerLine, Refused, SessionLine
from app.moving.ports import Shelf
from app.moving.progress import Progress
from app.moving.reading import NumberedLine


@dataclass(slots=True)
class Arrived:
    """What an import did."""

    new: int = 0  # sessions, as all of these
    same: int = 0
    left: list[str] = field(default_factory=list)  # ids of those that differ and were to be left
    sums: int = 0  # owners of whom more is counted now

    @property
    def sessions(self) -> int:
        """All that were looked at."""
        return self.new + self.same + len(self.left)

    @property
    def changed(self) -> bool:
        """Whether the store has anything that it did not have before."""
        return bool(self.new or self.sums)


class Importer:
    """Puts lines into a store: all of them, or one owner's."""

    def __init__(
        self,
        store: MovableStore,
        shelf: Shelf,
        owner: str | None = None,
        leave_others: bool = False,
        cost_of: CostOf = no_cost,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self.arrived = Arrived()
        self._store = store
        self._held = HeldBytes(shelf)
        self._owner = owner
        self._leave_others = leave_others
        self._cost_of = cost_of
        self._rest = rest  # called between sessions: others want to write too
        self._seen_at = 0.0

    def put(self, lines: Iterable[NumberedLine], progress: Progress) -> None:
        """Put the lines. Raises Refused; what was put before stays."""
        try:
            self._put(lines, progress)
        finally:
            self._held.close()

    def _put(self, lines: Iterable[NumberedLine], progress: Progress) -> None:
        read = 0
        for number, line, read in lines:
            if isinstance(line, Header):
                self._seen_at = line.made_at
            elif isinstance(line, OwnerLine):
                if self._is_wanted(line.owner):
                    self.arrived.sums += self._store.put_sums(line.owner, line.sums)
            elif isinstance(line, BytesLine):
                self._held.take(line)
            elif self._is_wanted(line.record.owner):
                self._put_session(number, line)
                progress.show(self.arrived.sessions, read)
        progress.finish(self.arrived.sessions, read)

    def _is_wanted(self, owner: str) -> bool:
        return self._owner is None or self._owner == owner

    def _put_session(self, number: int, line: SessionLine) -> None:
        try:
            is_new = self._store.put_whole(line.whole, self._seen_at, self._held.put, self._cost_of)
        except StoredOtherwise as error:
            if not self._leave_others:
                raise _in_the_way(number, line, error) from error
            self.arrived.left.append(line.record.id)
            return
        finally:
            self._held.forget_put()
        if is_new:
            self.arrived.new += 1
            self._rest()
        else:
            self.arrived.same += 1


def _in_the_way(number: int, line: SessionLine, error: StoredOtherwise) -> Refused:
    session_id = line.record.id
    what = "it" if error.which == session_id else f"its {error.what} {error.which}"
    return Refused(
        f"line {number}: session {session_id} of {line.record.owner!r} cannot be put: {what} is "
        "there with other content. Nothing of it was changed, and what came before it is stored. "
        "SKIP=1 leaves what is there as it is and goes on; to have the file's instead, delete that "
        f"session there (DELETE /api/chat/sessions/{session_id}) and import again."
    )

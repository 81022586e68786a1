"""Sessions, messages and usage in SQL: what chats need of a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from app.core.messages import Message
from app.core.sessions import ChatSession, Page
from app.core.usage import UsedTokens
from app.stores.sql import queries as queries
from app.stores.sql.rows import session_row
from app.stores.sql.tables import sessions
from app.stores.sqlite.connections import SqlBase


class SqlSessions(SqlBase):
    """SessionStore in SQLite. All methods may block."""

    def create_session(self, chat_session: ChatSession) -> ChatSession:
        """Store the session unless it is there; return what is stored."""
        with self._transaction() as connection:
            connection.execute(upsert(sessions).on_conflict_do_nothing(), session_row(chat_session))
            found = queries.find_session(connection, chat_session.owner, chat_session.id)
        assert found is not None
        return found

    def find_session(self, owner: str, session_id: str) -> ChatSession | None:
        """Return the record, or None."""
        with self._reading() as connection:
            return queries.find_session(connection, owner, session_id)

    def list_sessions(self, owner: str, page: Page = Page()) -> list[ChatSession]:
        """Return a page of the owner's listed sessions, newest first."""
        with self._reading() as connection:
            return queries.list_sessions(connection, owner, page)

    def update_session(self, owner: str, session_id: str, values: Mapping[str, Any]) -> bool:
        """Set the title, system prompt or leaf of a session; False if it is not there."""
        wanted = (sessions.c.owner == owner) & (sessions.c.id == session_id)
        with self._transaction() as connection:
            return bool(connection.execute(update(sessions).where(wanted).values(values)).rowcount)

    def delete_all(self, owner: str) -> int:
        """Delete the owner's sessions with all that belongs to them; return how many."""
        with self._transaction() as connection:
            return connection.execute(delete(sessions).where(sessions.c.owner == owner)).rowcount

    def delete_session(self, owner: str, session_id: str) -> bool:
        """Delete the session with all its messages and runs; False if it was not there."""
        with self._transaction() as connection:
            deleted = connection.execute(
                delete(sessions).where(sessions.c.owner == owner, sessions.c.id == session_id)
            )
            return deleted.rowcount > 0

    def read_branch(self, owner: str, session_id: str) -> list[Message]:
        """Return the branch in use, oldest first."""
        with self._reading() as connection:
            found = queries.find_session(connection, owner, session_id)
            if found is None:
                return []
            return queries.read_branch(connection, owner, session_id, found.leaf_id)

    def read_tree(self, owner: str, session_id: str) -> dict[str, Message]:
        """Return all messages of the session by id, in the order they came."""
        with self._reading() as connection:
            return queries.read_tree(connection, owner, session_id)

    def next_number(self, owner: str) -> int:
        """Return 1, 2, ...: a number that the owner never had."""
        with self._transaction() as connection:
            return queries.next_number(connection, owner)

    def used_by_day(self, owner: str, since_day: str) -> list[UsedTokens]:
        """Return what the owner used on that day and later: a day, provider and model each."""
        with self._reading() as connection:
            return queries.used_by_day(connection, owner, since_day)

    def used_in_session(self, owner: str, session_id: str) -> list[UsedTokens]:
        """Return what the session's runs that have ended used, each by itself."""
        with self._reading() as connection:
            return queries.used_in_session(connection, owner, session_id)

    def count_sessions(self) -> int:
        """Return how many sessions are stored."""
        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(sessions)).scalar_one())

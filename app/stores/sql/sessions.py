"""Sessions, messages and usage in SQL: what chats need of a store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from app.core.messages import Message
from app.core.sessions import ChatSession, Page
from app.core.usage import UsedTokens
from app.stores.decisions import free
from app.stores.sql import queries as queries
from app.stores.sql.driver import upsert
from app.stores.sql.rows import session_row
from app.stores.sql.tables import sessions


class SqlSessions(ABC):
    """SessionStore on any SQL engine. All methods may block."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Connection]:
        """Write in one transaction. Raises StorageUnavailable."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """Read what one moment holds. Raises StorageUnavailable."""

    def create_session(self, chat_session: ChatSession) -> ChatSession:
        with self._transaction() as connection:
            connection.execute(
                upsert(connection, sessions).on_conflict_do_nothing(), session_row(chat_session)
            )
            found = queries.find_session(connection, chat_session.owner, chat_session.id)
        assert found is not None
        return found

    def find_session(self, owner: str, session_id: str) -> ChatSession | None:
        with self._reading() as connection:
            return queries.find_session(connection, owner, session_id)

    def list_sessions(self, owner: str, page: Page = Page()) -> list[ChatSession]:
        with self._reading() as connection:
            return queries.list_sessions(connection, owner, page)

    def update_session(self, owner: str, session_id: str, values: Mapping[str, Any]) -> bool:
        wanted = (sessions.c.owner == owner) & (sessions.c.id == session_id)
        with self._transaction() as connection:
            return bool(connection.execute(update(sessions).where(wanted).values(values)).rowcount)

    def use_leaf(self, owner: str, session_id: str, leaf_id: str) -> None:
        wanted = (sessions.c.owner == owner) & (sessions.c.id == session_id)
        with self._transaction() as connection:
            # Held first, where others write meanwhile: a run may be about to begin.
            connection.execute(select(sessions.c.id).where(wanted).with_for_update())
            free(queries.find_session(connection, owner, session_id))
            connection.execute(update(sessions).where(wanted).values(leaf_id=leaf_id))

    def delete_all(self, owner: str) -> int:
        with self._transaction() as connection:
            return connection.execute(delete(sessions).where(sessions.c.owner == owner)).rowcount

    def delete_session(self, owner: str, session_id: str) -> bool:
        with self._transaction() as connection:
            deleted = connection.execute(
                delete(sessions).where(sessions.c.owner == owner, sessions.c.id == session_id)
            )
            return deleted.rowcount > 0

    def read_branch(self, owner: str, session_id: str) -> list[Message]:
        with self._reading() as connection:
            found = queries.find_session(connection, owner, session_id)
            if found is None:
                return []
            return queries.read_branch(connection, owner, session_id, found.leaf_id)

    def read_tree(self, owner: str, session_id: str) -> dict[str, Message]:
        with self._reading() as connection:
            return queries.read_tree(connection, owner, session_id)

    def next_number(self, owner: str) -> int:
        with self._transaction() as connection:
            return queries.next_number(connection, owner)

    def used_by_day(self, owner: str, since_day: str) -> list[UsedTokens]:
        with self._reading() as connection:
            return queries.used_by_day(connection, owner, since_day)

    def used_in_session(self, owner: str, session_id: str) -> list[UsedTokens]:
        with self._reading() as connection:
            return queries.used_in_session(connection, owner, session_id)

    def count_sessions(self) -> int:
        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(sessions)).scalar_one())

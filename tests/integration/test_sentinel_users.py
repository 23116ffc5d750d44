"""Access control of a sentinel: its users, where they are kept, and what they may do."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError
from support import start_kvsentinel, start_redis_sentinel

LINES = ("sentinel monitor mymaster 127.0.0.1 1 1", "user watcher on >secret ~* &* -@all +ping +sentinel|masters")


def test_users_of_the_file_are_in_force(tmp_path: Path) -> None:
    """A `user` line of a sentinel's file gives just what it says, also after the file was rewritten."""
    with start_kvsentinel(*LINES, folder=tmp_path) as sentinel:
        for _ in range(2):
            client = sentinel.client(username="watcher", password="secret")
            assert len(client.execute_command("SENTINEL", "MASTERS")) == 1
            with pytest.raises(NoPermissionError):
                client.execute_command("SENTINEL", "RESET", "*")
            sentinel.restart()
        assert ">secret" not in (tmp_path / "sentinel.conf").read_text()


def test_users_made_at_run_time_are_written_with_the_state() -> None:
    """ACL SETUSER is in the file with the next write of the state, and in force after a restart."""
    with start_kvsentinel(LINES[0]) as sentinel:
        sentinel.command("ACL", "SETUSER", "late", "on", ">secret", "+sentinel|myid")
        sentinel.command("SENTINEL", "FLUSHCONFIG")
        sentinel.restart()
        assert sentinel.client(username="late", password="secret").execute_command("SENTINEL", "MYID")


def test_commands_and_categories_are_those_of_a_real_sentinel() -> None:
    """COMMAND LIST and ACL CAT of each category tell the same commands as Redis's."""
    with start_kvsentinel(LINES[0]) as ours, start_redis_sentinel(LINES[0]) as real:
        assert sorted(ours.command("COMMAND LIST")) == sorted(real.command("COMMAND LIST"))
        categories = ours.command("ACL", "CAT")
        assert sorted(categories) == sorted(real.command("ACL", "CAT"))
        for category in categories:
            assert sorted(ours.command("ACL", "CAT", category)) == sorted(real.command("ACL", "CAT", category))

"""Connections: HELLO, AUTH, RESET, QUIT, CLIENT REPLY, with the replies that Redis 7.0 gives."""

from __future__ import annotations

from support import Server, start_kvserver
from support.story import Steps, play
from support.wire import received_until

STEPS: Steps = (
    ("PING", b"PONG"),
    ("PING hello", b"hello"),
    ("PING a b", "-wrong number of arguments for 'ping' command"),
    ("ECHO x", b"x"),
    ("ECHO", "-wrong number of arguments for 'echo' command"),
    ("NOSUCH a b", "-unknown command 'NOSUCH', with args beginning with: 'a' 'b' "),
    ("CLIENT NOSUCH", "-unknown subcommand 'NOSUCH'. Try CLIENT HELP."),
    ("GET", "-wrong number of arguments for 'get' command"),
    ("AUTH x", "-AUTH <password> called without any password configured for the default user. "
     "Are you sure your configuration is correct?"),
    ("AUTH default x", b"OK"),
    ("AUTH nobody x", "-invalid username-password pair or user is disabled."),
    ("AUTH a b c", "-syntax error"),
    ("HELLO 4", "-NOPROTO unsupported protocol version"),
    ("HELLO x", "-Protocol version is not an integer or out of range"),
    ("HELLO 2 FOO", "-Syntax error in HELLO option 'FOO'"),
    ("CLIENT SETNAME me", b"OK"),
    ("CLIENT GETNAME", b"me"),
    ("SELECT 3", b"OK"),
    ("MULTI", b"OK"),
    ("RESET", b"RESET"),
    ("CLIENT GETNAME", None),
    ("EXEC", "-EXEC without MULTI"),
    ("QUIT", b"OK"),
)  # fmt: skip


def test_a_story_of_a_connection(node: Server) -> None:
    """Each step's reply is Redis's, and so is the state it leaves for the next."""
    play(node, STEPS)


def test_hello_tells_who_answers(node: Server) -> None:
    """HELLO's greeting is a map in RESP3 and a flat array in RESP2."""
    with node.client(protocol=2) as client:
        client.response_callbacks.clear()
        flat = client.execute_command("HELLO", "2")
        greeting = dict(zip(flat[::2], flat[1::2], strict=True))
        assert greeting[b"server"] == b"redis"
        assert greeting[b"proto"] == 2
        assert greeting[b"mode"] == b"standalone"
        assert greeting[b"role"] == b"master"
        assert greeting[b"modules"] == []
    with node.connect() as link:
        link.sendall(b"HELLO 3 SETNAME three\r\n")
        assert link.recv(4096).startswith(b"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n")


def test_quit_ends_after_the_replies(node: Server) -> None:
    """QUIT is answered, ends the connection, and what was pipelined behind it isn't run."""
    with node.connect() as link:
        link.sendall(b"PING\r\nQUIT\r\nSET behind 1\r\n")
        data = b""
        while chunk := link.recv(100):
            data += chunk
        assert data == b"+PONG\r\n+OK\r\n"
    assert node.command("EXISTS", "behind") == 0


def test_client_reply(node: Server) -> None:
    """CLIENT REPLY OFF, SKIP and ON silence what they say, and nothing more."""
    with node.connect() as link:
        link.sendall(
            b"CLIENT REPLY SKIP\r\nECHO no\r\nECHO yes\r\n"
            b"CLIENT REPLY OFF\r\nECHO no\r\nNOSUCH\r\nCLIENT REPLY ON\r\nECHO again\r\n"
        )
        wanted = b"$3\r\nyes\r\n+OK\r\n$5\r\nagain\r\n"
        data = received_until(link, lambda data: len(data) >= len(wanted))
        assert data == wanted


def test_a_password_guards_everything() -> None:
    """Without AUTH nothing runs but AUTH, HELLO and QUIT; HELLO may carry the password."""
    with start_kvserver(requirepass="secret") as node, node.connect() as link:
        link.sendall(b"PING\r\nRESET\r\nHELLO 3\r\n")
        noauth = b"-NOAUTH Authentication required.\r\n"
        data = received_until(link, lambda data: data.count(b"\r\n") >= 3)
        assert data.startswith(noauth + b"+RESET\r\n-NOAUTH HELLO must be called with the client already authenticated")
        link.sendall(b"HELLO 2 AUTH default secret\r\nPING\r\n")
        received_until(link, lambda data: data.endswith(b"+PONG\r\n"))
        link.sendall(b"RESET\r\nPING\r\n")
        data = received_until(link, lambda data: data.count(b"\r\n") >= 2)
        assert data == b"+RESET\r\n" + noauth

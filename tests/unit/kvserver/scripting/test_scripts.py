"""Scripts on an engine without a network: conversions, errors, the sandbox, effects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort, Session
from kvserver.scripting.decoding import decode
from kvserver.scripting.host import host_of
from kvserver.scripting.running import KILLED_SCRIPT
from kvserver.scripting.shebang import ALLOW_OOM, COMPAT, NO_WRITES, script_flags
from kvserver.scripting.tailcalls import keep_frames

Run = Callable[..., bytes]


@pytest.mark.parametrize(
    ("source", "reply"),
    [
        ("return 3.99", b":3\r\n"),
        ("return -3.99", b":-3\r\n"),
        ("return 'a'", b"$1\r\na\r\n"),
        ("return true", b":1\r\n"),
        ("return false", b"$-1\r\n"),
        ("return nil", b"$-1\r\n"),
        ("return {1, 'b', nil, 4}", b"*2\r\n:1\r\n$1\r\nb\r\n"),
        ("return {ok='fine'}", b"+fine\r\n"),
        ("return {err='BAD thing'}", b"-BAD thing\r\n"),
        ("return {double=3.5}", b"$3\r\n3.5\r\n"),
        ("return redis.error_reply('FOO')", b"-ERR FOO\r\n"),
        ("return redis.call('SET', 'k', 1.5).ok", b"$2\r\nOK\r\n"),
        ("return type(redis.call('GET', 'none'))", b"$7\r\nboolean\r\n"),
        ("redis.setresp(3) return type(redis.call('GET', 'none'))", b"$3\r\nnil\r\n"),
        ('return cjson.encode(cjson.decode(\'[1,{"a":null},"\\\\u00e9"]\'))', b'$19\r\n[1,{"a":null},"\xc3\xa9"]\r\n'),
        ("return cmsgpack.pack({1, -1, 'a', 300})", b"$8\r\n\x94\x01\xff\xa1a\xcd\x01,\r\n"),
        ("return bit.tohex(bit.bxor(0xff, 0x0f))", b"$8\r\n000000f0\r\n"),
        ("return struct.pack('>I2', 513)", b"$2\r\n\x02\x01\r\n"),
        ("return redis.sha1hex('')", b"$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n"),
    ],
)
def test_values(run: Run, source: str, reply: bytes) -> None:
    """Lua's values become replies, and replies Lua's values, as Redis converts them."""
    assert run(source).startswith(reply)


def test_resp3_values(run: Run, client: Session) -> None:
    """With RESP3 on both sides maps, sets, doubles and truth values stay what they are."""
    client.resp = 3
    assert run("redis.setresp(3) return true") == b"#t\r\n"
    assert run("return {map={a=1}}") == b"%1\r\n$1\r\na\r\n:1\r\n"
    assert run("return {set={a=true}}") == b"~1\r\n$1\r\na\r\n"
    assert run("return {big_number='12'}") == b"(12\r\n"
    assert (
        run("redis.call('HSET','h','f','v') redis.setresp(3) return redis.call('HGETALL','h').map.f") == b"$1\r\nv\r\n"
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("return redis.call('nope')", b"-ERR Unknown Redis command called from script script: %b, on @user_script:1."),
        ("\nreturn redis.call('set')", b"-ERR Wrong number of args calling Redis command from script script: %b, "
         b"on @user_script:2."),
        ("return nope", b"-ERR user_script:1: Script attempted to access nonexistent global variable 'nope' script: "
         b"%b, on @user_script:1."),
        ("x = 1", b"-ERR user_script:1: Attempt to modify a readonly table script: %b, on @user_script:1."),
        ("error('boo')", b"-ERR user_script:1: boo script: %b, on @user_script:1."),
        ("error({err='MY own'})", b"-MY own script: %b, on @user_script:1."),
        ("return cjson.decode('[1,}')", b"-ERR user_script:1: Expected value but found T_OBJ_END at character 4 "
         b"script: %b, on @user_script:1."),
    ],
)  # fmt: skip
def test_errors_name_script_and_line(run: Run, source: str, text: bytes) -> None:
    """An error's text is Redis's, down to the line, also when the failing call is in tail position."""
    from hashlib import sha1

    assert run(source) == text % sha1(source.encode()).hexdigest().encode() + b"\r\n"


@pytest.mark.parametrize(
    "source",
    [
        "redis.call = 1", "_G = {}", "setmetatable(_G, {})", "rawset(redis, 'call', 1)", "string.rep = nil",
        "getmetatable('').__index = nil", "getmetatable(_G).__index = {}", "table.insert(redis, 1)",
        "getmetatable('').__index.rep = 1", "pairs(redis)(redis, nil) = 1", "KEYS = nil",
        "for _, t in pairs(_G) do if type(t) == 'table' and t ~= _G then t.x = 1 end end",
    ],
)  # fmt: skip
def test_nothing_survives_a_script(run: Run, source: str) -> None:
    """No script can change what the next one finds."""
    assert run(source).startswith(b"-ERR")
    assert run("return redis.call('PING').ok .. ('x'):rep(2)") == b"$6\r\nPONGxx\r\n"


@pytest.mark.parametrize("name", ["os", "io", "require", "package", "loadfile", "dofile", "python", "debug", "print"])
def test_no_way_out(run: Run, name: str) -> None:
    """Libraries that reach files, processes or Python aren't there."""
    assert b"nonexistent global variable" in run(f"return {name}")


def test_no_python_objects(run: Run) -> None:
    """Whatever a script can reach is of Lua's own types."""
    walk = """
        local seen, found = {}, {}
        local function walk(t, path)
          if seen[t] then return end
          seen[t] = true
          for k, v in pairs(t) do
            if type(v) == 'userdata' and v ~= cjson.null then found[#found + 1] = path .. '.' .. tostring(k) end
            if type(v) == 'table' then walk(v, path .. '.' .. tostring(k)) end
          end
        end
        walk(_G, '_G')
        return found
    """
    assert run(walk) == b"*0\r\n"
    assert run("return loadstring(string.dump(function() end))") == b"$-1\r\n"


@pytest.mark.parametrize(
    "source",
    [
        "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100000) .. i end",
        "local s = 'x' while true do s = s .. s end",
        "local function f() return 1 + f() end return f()",
        "local function f() return pcall(f) end return f()",
        "return string.rep('x', 2 ^ 31)",
        "return unpack({}, -2147483648, 2147483647)",
        "return cjson.decode(('['):rep(100000))",
        "return cmsgpack.unpack(('\\145'):rep(1000000))",
        "local t = {} t.t = t return cjson.encode(t)",
    ],
)
def test_excess_is_an_error(run: Run, source: str) -> None:
    """A script that wants too much fails; the next one runs."""
    assert run(source).startswith((b"-ERR", b"$", b":", b"*"))
    assert run("return #redis.call('PING').ok") == b":4\r\n"


def test_a_killed_script_cannot_hold_on(engine: Engine, run: Run) -> None:
    """Neither pcall nor coroutines nor an error handler keep a script alive that is to end."""
    host = host_of(engine.open_session(NoPort()))

    def kill(running: object) -> None:
        assert host.api.running is not None
        host.api.running.stop = KILLED_SCRIPT

    host.api.on_tick = kill
    for source in (
        "while true do end",
        "local f = function() while true do redis.call('PING') end end while true do pcall(f) end",
        "local f = function() while true do end end coroutine.wrap(function() while true do pcall(f) end end)()",
        "local f = function() while true do end end while true do xpcall(f, function() while true do end end) end",
    ):
        assert run(source).startswith(b"-ERR Script killed by user with SCRIPT KILL.")
    host.api.on_tick = lambda running: None
    assert run("for i = 1, 1e6 do end return 1") == b":1\r\n"


@pytest.mark.parametrize(
    "source",
    [
        "return string.find(('a'):rep(40), ('a?'):rep(40) .. ('a'):rep(40))",
        "return ('x'):rep(40000):find('.-b')",
        "return ('a'):rep(3000):gsub('(a*)(a*)(a*)b', '')",
        "for _ in ('a'):rep(3000):gmatch('a*a*a*b') do end",
        "return ('('):rep(100000):match('%b()')",
        "return ('a'):rep(300):match('(.-)(.-)(.-)%1x')",
        "local t = {} for i = 0, 30 do t[2 ^ i] = 1 end while true do table.insert(t, 1, 1) end",
        "local t = {} for i = 0, 30 do t[2 ^ i] = 1 end while true do table.remove(t, 1) end",
        "local t = {} for i = 1, 2e5 do t[i] = i % 7 end while true do table.sort(t) end",
        "loadstring('while true do end', '=redis')()",
        "loadstring('while true do end', '=redis library')()",
        "load(function() return nil end) while true do pcall(loadstring, ('x=1 '):rep(10000)) end",
        "local t = '[' .. ('[1],'):rep(1000) .. '1]' while true do cjson.decode(t) end",
        "while true do collectgarbage() end",
        "local a = setmetatable({}, {__index = function(t, k) return t[k + 1] end})"
        " local function f() return a[1] end while true do pcall(f) end",
        "local m = {__lt = function() while true do end end} return setmetatable({}, m) < setmetatable({}, m)",
        "return table.insert({}, -2 ^ 31, 1)",
    ],
)
def test_whatever_takes_long_can_be_killed(engine: Engine, run: Run, source: str) -> None:
    """There is no work, in Lua or in C, that a script could not be stopped in."""
    host = host_of(engine.open_session(NoPort()))
    ticks = 0

    def kill(running: object) -> None:
        nonlocal ticks
        ticks += 1
        if ticks > 3:
            assert host.api.running is not None
            host.api.running.stop = KILLED_SCRIPT

    host.api.on_tick = kill
    assert run(source).startswith(b"-ERR Script killed by user with SCRIPT KILL.")
    host.api.on_tick = lambda running: None
    assert run("for i = 1, 1e6 do end return 1") == b":1\r\n"


@pytest.mark.parametrize(
    "source",
    [
        "string.find(('a'):rep(1000000), ('a?'):rep(1000000))",
        "string.find(('a'):rep(1000000), ('a-'):rep(1000000) .. 'b')",
        "string.match('x', ('('):rep(1000000))",
        "string.match('x', ('%f[x]'):rep(1000000))",
        "string.rep('x', -1)", "string.rep('x', 0/0)", "string.rep('x', 1e308)", "('x'):rep(1e15)",
        "string.format('%99999999d', 1)", "string.format('%.99f', 1e308)", "string.format(('%d'):rep(10000), 1)",
        "string.byte(('x'):rep(1e6), 1, -1)", "string.char(unpack({}, 1, 7999))", "string.char(1e300, 0/0)",
        "table.concat({}, 'x', 1, 2 ^ 31)", "table.concat({}, 'x', -2 ^ 31, 2 ^ 31)", "table.insert({}, 2 ^ 31, 1)",
        "table.sort({1, 2, 3, 4, 5}, function() return true end)", "table.insert({}, 0/0, 1)", "table.setn({}, 1)",
        "table.remove({}, -2 ^ 31)", "table.sort({3, 1, 'x'})", "table.sort({1, 2, 3}, function() error({}) end)",
        "redis.set_repl(0/0)", "redis.log(0/0, 'x')", "redis.setresp(0/0)", "redis.call(0/0)", "redis.call({})",
        "redis.call('SET', 'k', 1/0)", "redis.acl_check_cmd(0/0)", "redis.sha1hex(0/0)", "redis.error_reply(0/0)",
        "struct.pack('i0', 0/0)", "struct.pack('i33', 1)", "struct.pack('!3i', 1)", "struct.pack('f', 1e308)",
        "struct.pack('c2147483647', 'x')", "struct.pack('c99999999999', 'x')", "struct.unpack('f', 'abcd', 0/0)",
        "struct.unpack('d', 'abcdefgh', 1/0)", "struct.unpack('c0', 'x')", "struct.unpack('Bc0', '\\255x')",
        "struct.size('c2147483647c2147483647')", "struct.unpack('i', 'abcd', -1)", "struct.pack('I8', 2 ^ 64)",
        "bit.tohex(1, 1e308)", "bit.lshift(0/0, 1/0)", "bit.bor(1e308, -1e308)", "bit.rol(1, 2 ^ 53)",
        "cmsgpack.unpack('\\221\\255\\255\\255\\255')", "cmsgpack.unpack('\\223\\255\\255\\255\\255')",
        "cmsgpack.unpack('\\219\\255\\255\\255\\255x')", "cmsgpack.unpack_limit('\\1\\2', 0/0, 0/0)",
        "cmsgpack.unpack_one('\\1', 2 ^ 53)", "cmsgpack.unpack(('\\1'):rep(100000))",
        "cjson.decode('[' .. ('1,'):rep(10) .. ']')", "cjson.encode({[1e15] = 1})", "cjson.decode('1e99999')",
        "cjson.encode(0/0)", "cjson.encode_max_depth(1e300)", "cjson.encode({[{}] = 1})",
        "cjson.decode('\"\\\\ud800\"')",
        "tonumber(('1'):rep(1e6))", "tonumber('z', 37)", "math.random(0/0)", "math.random(1, 1e308)",
        "math.randomseed(0/0)", "select(-1)", "select(2 ^ 31)", "unpack({}, 0/0, 1)",
        "setmetatable(1, {})",         "coroutine.wrap(string.rep)()",
        "coroutine.resume(coroutine.create(coroutine.yield))", "error()",
        "error(redis)",         "error(setmetatable({}, {__tostring = error}))", "error(cjson.null)",
        "loadstring('\\27Lua')()",         "load(function() return {} end)", "getmetatable(cjson.null)",
        "cjson.null.x", "cjson.null()",
        "cjson.null .. 'x'",         "('x'):rep(10).x.y", "rawset(_G, 'x', 1)",
        "rawset(getmetatable(''), '__index', {})", "next(redis, {})",
        "table.foreach(redis, function(k, v) error(k) end)", "xpcall(error, error)", "pcall(pcall)", "gcinfo(1)",
        "collectgarbage('step', 1e308)", "collectgarbage({})", "tostring()", "type()", "ipairs()", "newproxy(true)",
    ],
)  # fmt: skip
def test_wrong_use_is_an_error_of_lua(run: Run, source: str) -> None:
    """Whatever the arguments, a script sees values and errors of Lua's own, and the next script finds all in order."""
    probe = f"""
        local ok, value = pcall(function() return {source} end)
        if type(value) == 'userdata' and value ~= cjson.null then return 'foreign' end
        return type(value) == 'string' and value:find('Python') or 'fine'
    """
    assert run(probe) == b"$4\r\nfine\r\n"
    reply = run("return " + source)
    assert reply[:1] in (b"-", b":", b"$", b"*", b"+")
    check = "return tostring(redis.source) .. redis.call('PING').ok .. cjson.encode({1}) .. ('x'):rep(2)"
    assert b"nonexistent" in run(check) or run(check).endswith(b"PONG[1]xx\r\n")


def test_effects_are_one_unit(engine: Engine, run: Run) -> None:
    """What a script writes is logged as the commands it ran, in one transaction; reading logs nothing."""
    written: list[bytes] = []
    engine.log.attach(written.append)
    run("redis.call('SET', KEYS[1], 'v') redis.call('INCR', 'n') return redis.call('GET', 'n')", b"k", keys=1)
    run("redis.set_repl(redis.REPL_NONE) redis.call('SET', 'hidden', 'v')")
    run("return redis.call('GET', 'n')")
    run("redis.call('SELECT', 3) redis.call('SET', 'other', 'v')")
    engine.log.flush()
    words = [word for word in b"".join(written).split(b"\r\n") if word and word[:1] not in b"*$"]
    assert words == [
        b"SELECT", b"0", b"MULTI", b"SET", b"k", b"v", b"INCR", b"n", b"EXEC",
        b"SELECT", b"3", b"SET", b"other", b"v",
    ]  # fmt: skip
    assert run("return redis.call('EXISTS', 'other')") == b":0\r\n"


def test_read_only_scripts(engine: Engine, client: Session, run: Run) -> None:
    """EVAL_RO and the flag no-writes refuse to write, and nothing is written."""
    reply = engine.execute(client, [b"EVAL_RO", b"return redis.call('SET', 'k', 1)", b"0"])
    assert reply is not None
    assert reply.startswith(b"-ERR Write commands are not allowed from read-only scripts.")
    assert run("#!lua flags=no-writes\nreturn redis.call('SET', 'k', 1)").startswith(b"-ERR Write commands")
    assert run("return redis.call('EXISTS', 'k')") == b":0\r\n"


def test_libraries_replace_each_other_or_nothing(engine: Engine, client: Session) -> None:
    """A library that fails to load leaves the one of its name as it was."""

    def do(*args: bytes) -> bytes:
        reply = engine.execute(client, list(args))
        assert reply is not None
        return reply

    good = b"#!lua name=lib\nredis.register_function('f', function(keys, args) return keys[1] .. args[1] end)"
    assert do(b"FUNCTION", b"LOAD", good) == b"$3\r\nlib\r\n"
    assert do(b"FCALL", b"F", b"1", b"k", b"a") == b"$2\r\nka\r\n"
    bad = b"#!lua name=lib\nredis.register_function('g', function() end)\nredis.register_function('f', 1)"
    assert do(b"FUNCTION", b"LOAD", b"REPLACE", bad).startswith(b"-ERR Error registering functions: ")
    assert do(b"FCALL", b"f", b"1", b"k", b"a") == b"$2\r\nka\r\n"
    assert do(b"FCALL", b"g", b"0") == b"-ERR Function not found\r\n"
    other = good.replace(b"name=lib", b"name=other")
    assert do(b"FUNCTION", b"LOAD", other) == b"-ERR Function f already exists\r\n"
    assert do(b"FUNCTION", b"DELETE", b"lib") == b"+OK\r\n"
    assert do(b"FUNCTION", b"LOAD", other) == b"$5\r\nother\r\n"


def test_shebang() -> None:
    """A script's first line sets its flags, and keeps its place for line numbers."""
    assert script_flags(b"return 1") == (b"return 1", COMPAT)
    assert script_flags(b"#!lua flags=no-writes,allow-oom\nreturn 1") == (b"\nreturn 1", NO_WRITES | ALLOW_OOM)


def test_decode_nested() -> None:
    """Every type of the wire becomes the table that scripts expect."""
    data = b"*4\r\n:1\r\n$-1\r\n%1\r\n$1\r\nk\r\n,1.5\r\n|1\r\n+a\r\n+b\r\n_\r\n"
    made = decode(data, lambda contents: contents)
    assert made[:2] == [1, False]
    assert made[2] == {b"map": {b"k": {b"double": 1.5}}}
    assert made[3] is None


def test_what_is_no_bytecode_stays() -> None:
    """Bytes of another form than this machine's Lua writes aren't touched."""
    assert keep_frames(b"") is None
    assert keep_frames(b"\x1bLuaQ\x00\x00\x04\x08\x04\x08\x00") is None

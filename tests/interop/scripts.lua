-- One script a line; what a real server replies to each, ours does too. KEYS is {'k1'}, ARGV {'a1', 'a2'}.
return setmetatable({},{__index=function() error("x") end})
redis.x=1
getmetatable("").__index=1
return tostring(redis.REDIS_VERSION_NUM)
setmetatable(_G,{})
return redis.sha1hex()
return redis.sha1hex('abc')
return redis.log(1)
return redis.log(9,"x")
return redis.log("a","x")
return redis.log(1,"x")
return redis.error_reply()
return redis.error_reply(1)
return redis.error_reply("")
return redis.error_reply("-A b")
return redis.error_reply("A b\r\nc")
return redis.status_reply("A b\r\nc")
return redis.status_reply()
return redis.setresp(4)
return redis.setresp()
return redis.set_repl(9)
return redis.set_repl()
return tostring(redis.breakpoint())
return redis.debug(1)
return redis.acl_check_cmd()
return redis.acl_check_cmd("set","x",1)
return redis.acl_check_cmd("nope","x",1)
return redis.acl_check_cmd("set")
return tostring(redis.replicate_commands())
return {pcall(redis.call,"nope")}
local a,r=pcall(error,"x") return tostring(r)
return redis.pcall("set")
return redis.call("set")
return redis.call("lpop","a","b","c")
return 3.99
return -3.99
return 1e300
return {1,2,nil,3}
return {1,{2,{ok="x"}},{err="zz"},true,false,"s",3.9}
return tostring(nil)..nil
local x = nil; x.y=1
return redis.nope
return redis.nope()
return redis.call("eval")
return redis.call("eval","x",0)
error({err="x\r\ny"})
return redis.call("set","a",0.1) and redis.call("get","a")
redis.call("incr","zz") error("a")
return rawget(redis,"call")~=nil
return next(redis)~=nil
local f=loadstring("x=1") f()
local f,e=loadstring("x=") return e
local f,e=loadstring("error(1)") f()
return redis.call("get",nil)
return redis.call("get",true)
return redis.call()
string.rep()
return ("x"):bad()
table.insert(redis,1)
table.insert({},1,2,3)
coroutine.wrap(function() error("in co") end)()
local ok,e=coroutine.resume(coroutine.create(function() return redis.call("nope") end)) return e.err
return KEYS.x
return math.random(0)
return redis.REPL_ALL
return unpack({1,2},1,1e9)
return #pcall
xpcall(function() error("q") end, function(e) return e end) return 1
return {xpcall(function() error("q") end, function(e) return e end)}
return {ok="a",err="b"}
return {ok=1}
return {err=1}
return {err=""}
error({err=""})
error("")
error("FOO bar",0)
error()
error(12)
return {err="a"}
return {double=3.5}
return {double=1e300}
return {double=3}
return {map={a=1}}
return {set={a=1}}
return {big_number="123"}
return {verbatim_string={format="txt",string="abc"}}
return {set={[1]=2},map={}}
xx = function() end
return ARGV[1]
return KEYS
return _G.zzz
return rawget(_G,"zzz")
rawset(_G,"zzz",1)
string.x=1
rawset(string,"a",1)
return table.concat({1,2,3.5,1e15,1e16},",")
return redis.call("set","a",1e20)
redis.call("set","x",12345678901234567) return redis.call("get","x")
redis.setresp(3) return redis.call("hgetall","h")
return redis.call("hgetall","hh")
return redis.call("smembers","s")
return redis.call("zscore","z","m")
return redis.call("zrange","z",0,-1,"withscores")
return type(redis.call("zscore","z","m"))
return redis.call("get","nokey")
return {redis.call("get","nokey"),1}
return type(redis.call("get","nokey"))
return redis.call("lrange","l",0,-1)
return redis.call("ping")
return redis.call("mget","nokey","a","nokey")
return redis.call("incr","l")
return redis.call("config","get","x")
return redis.call("config")
return redis.call("config","nope")
return _VERSION
return getmetatable(redis)
return print
return string.dump(function() end)==nil
return loadstring(string.dump(function() end))
return load("x")
return redis.call("multi")
return redis.call("subscribe","a")
return redis.call("blpop","a",0)
local t={} t[1]=t return 1
local function f() return f()+1 end return f()
return tostring(redis.call)==nil
local t = setmetatable({},{__newindex=function() error("boo") end}) t.x=1
for k,v in pairs(nil) do end
for k,v in ipairs() do end
return tonumber()
return select(0)
assert(false)
assert(false,"msg")
assert(nil,{err="x y"})
return {1,2,3,"ciao",{1,2}}
return true
return false
return nil
return function() end
return redis
return redis.call("select",99)
return redis.pcall("select",99)
return {[1]=1,[3]=3}
local t={} for i=1,300 do t[i]=i end redis.call("del","q") redis.call("rpush","q",unpack(t)) return redis.call("llen","q")
return bit.tobit(0xffffffff)
return {bit.band(0xff,0xf),bit.bor(1,2,4),bit.bxor(1,3),bit.bnot(0),bit.lshift(1,31),bit.rshift(-1,1),bit.arshift(-8,1),bit.rol(0x12345678,12),bit.ror(0x12345678,12),bit.bswap(0x12345678)}
return {bit.tohex(1),bit.tohex(-1),bit.tohex(255,4),bit.tohex(255,-4),bit.tohex(0,0),bit.tohex(2^40+7)}
return bit.band()
return bit.band("x")
return bit.band("12",7)
return bit.tobit(1.5)
return bit.tobit(2.5)
return bit.tohex()
return cjson.encode({1,2,{a=1}})
return cjson.encode({})
return cjson.encode({a={}})
return cjson.encode(cjson.null)
return cjson.encode(nil)
return cjson.encode("a\"b\\c/d\n\t\1\127é")
return cjson.encode(0.1)
return cjson.encode(1e20)
return cjson.encode(123456789012345)
return cjson.encode(1/3)
return cjson.encode({[1]=1,[2]=2,[4]=4})
return cjson.encode({[1]=1,[20]=3})
return cjson.encode({[1.5]=1})
return cjson.encode({[true]=1})
return cjson.encode(function() end)
return cjson.encode({f=function() end})
return cjson.encode(1/0)
return cjson.encode(0/0)
return cjson.encode()
return cjson.encode(1,2)
local t={} t.t=t return cjson.encode(t)
return cjson.decode("[1,}")
return cjson.decode("")
return cjson.decode("  ")
return cjson.decode()
return cjson.decode({})
return cjson.decode("[1,2,3]")
return cjson.decode("{\"a\":1}").a
return cjson.decode("[1,null,true,false,\"x\"]")
return tostring(cjson.decode("[1,null]")[2]==cjson.null)
return type(cjson.null)
return cjson.decode("nul")
return cjson.decode("{a:1}")
return cjson.decode("{\"a\" 1}")
return cjson.decode("{\"a\":1")
return cjson.decode("[1 2]")
return cjson.decode("\"abc")
return cjson.decode("\"\\u00e9\\ud83d\\ude00\\n\"")
return cjson.decode("\"\\ud83d\"")
return cjson.decode("\"\\x\"")
return cjson.decode("[1] x")
return cjson.decode("-")
return cjson.decode("01")
return cjson.decode("0x10")
return cjson.decode("1e5")
return cjson.decode("nan")
return cjson.decode("[" .. string.rep("[",1100))
return tostring(cjson.decode("1.5"))
return tostring(cjson.decode("12345678901234567890"))
return cjson.encode({a=cjson.null})
return cjson.encode({true,false})
return {cjson.encode_max_depth()}
return {cjson.encode_sparse_array()}
return {cjson.encode_number_precision()}
return {cjson.encode_invalid_numbers()}
return {cjson.decode_invalid_numbers()}
return {cjson.encode_keep_buffer()}
return cjson.encode_max_depth(0)
return cjson.encode_number_precision(99)
return cjson._NAME .. cjson._VERSION
return cmsgpack.pack()
return cmsgpack.pack(1,2,"x",true,false,nil)
return cmsgpack.pack({1,2,3})
return cmsgpack.pack({a=1})
return cmsgpack.pack({})
return cmsgpack.pack({[1]=1,[3]=2})
return cmsgpack.pack(127) .. cmsgpack.pack(128) .. cmsgpack.pack(255) .. cmsgpack.pack(256) .. cmsgpack.pack(65535) .. cmsgpack.pack(65536) .. cmsgpack.pack(2^32-1) .. cmsgpack.pack(2^32) .. cmsgpack.pack(2^53)
return cmsgpack.pack(-1) .. cmsgpack.pack(-32) .. cmsgpack.pack(-33) .. cmsgpack.pack(-128) .. cmsgpack.pack(-129) .. cmsgpack.pack(-32768) .. cmsgpack.pack(-32769) .. cmsgpack.pack(-2^31) .. cmsgpack.pack(-2^31-1)
return cmsgpack.pack(1.5) .. cmsgpack.pack(0.1) .. cmsgpack.pack(1e300) .. cmsgpack.pack(1e40)
return cmsgpack.pack(string.rep("x",31)) .. cmsgpack.pack(string.rep("x",32)) .. cmsgpack.pack(string.rep("x",256))
return cmsgpack.pack(function() end)
return {cmsgpack.unpack(cmsgpack.pack(1,"a",true,nil,{1,2}))}
return cmsgpack.unpack("\x81")
return cmsgpack.unpack("\129")
return cmsgpack.unpack("\193")
return cmsgpack.unpack("")
return cmsgpack.unpack()
return {cmsgpack.unpack_one("\1\2\3")}
return {cmsgpack.unpack_one("\1\2\3",1)}
return {cmsgpack.unpack_one("\1\2\3",9)}
return {cmsgpack.unpack_limit("\1\2\3",2)}
return {cmsgpack.unpack_limit("\1\2\3",2,1)}
return {cmsgpack.unpack_limit("\1\2\3",-1,0)}
return tostring(cmsgpack.unpack(cmsgpack.pack(0.1)))
return tostring(cmsgpack.unpack(cmsgpack.pack(-2^40)))
return cmsgpack._NAME
return struct.pack(1)
return struct.pack("b",1)
return struct.pack("<i4>i4=i2!4bBhHlLTfdsx",1,2,3,4,5,6,7,8,9,10,1.5,2.5,"abc")
return struct.pack(">c0","abc")
return struct.pack("c5","abcdefgh")
return struct.pack("c9","abc")
return struct.pack("z","abc")
return struct.pack("i33",1)
return struct.pack("i","x")
return struct.pack("!3i",1)
return {struct.unpack("<i4",struct.pack("<i4",-5))}
return {struct.unpack(">I2s",struct.pack(">I2s",513,"hello"))}
return {struct.unpack("bc0",struct.pack("bc0",3,"abc"))}
return {struct.unpack("i4","ab")}
return {struct.unpack("s","ab")}
return {struct.unpack("d",struct.pack("d",2.5))}
return {struct.unpack("i4","abcdefgh",5)}
return {struct.unpack("i4","abcdefgh",0)}
return {struct.unpack("i4","abcdefgh",100)}
return {struct.size("i4i8d"),struct.size("!8bd"),struct.size("bi"),struct.size("c5")}
return struct.size("s")
return struct.size("c0")
return struct.unpack()

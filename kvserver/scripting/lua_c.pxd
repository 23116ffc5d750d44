# The part of Lua 5.1's C interface that the bridge uses. The functions are those of the library that lupa brings, so
# they are looked up when a machine is made, not linked. There is no such module for Python.
ctypedef int (*int_of_state)(void*) noexcept nogil
ctypedef void (*of_state)(void*) noexcept nogil
ctypedef int (*int_of_place)(void*, int) noexcept nogil
ctypedef void (*with_place)(void*, int) noexcept nogil
ctypedef double (*number_at)(void*, int) noexcept nogil
ctypedef const char* (*text_at)(void*, int, size_t*) noexcept nogil
ctypedef void* (*pointer_at)(void*, int) noexcept nogil
ctypedef void (*with_number)(void*, double) noexcept nogil
ctypedef void (*with_text)(void*, const char*, size_t) noexcept nogil
ctypedef void (*with_pointer)(void*, void*) noexcept nogil
ctypedef void (*with_function)(void*, int_of_state, int) noexcept nogil
ctypedef void (*with_two)(void*, int, int) noexcept nogil
ctypedef int (*call_of)(void*, int, int, int) noexcept nogil
ctypedef int (*int_of_two)(void*, int, int) noexcept nogil

cdef enum:
    MULTRET = -1
    REGISTRY = -10000
    UPVALUE = -10003
    GC_COUNT = 3
    BOOLEAN = 1
    NUMBER = 3
    STRING = 4

cdef struct Lua:
    int_of_state gettop, error
    of_state pushnil
    int_of_place type, toboolean, checkstack, ref
    with_place settop, pushvalue, remove, pushboolean
    number_at tonumber
    text_at tolstring
    pointer_at touserdata
    with_number pushnumber
    with_text pushlstring
    with_pointer pushlightuserdata
    with_function pushcclosure
    with_two rawgeti, rawseti, createtable
    with_place rawset
    call_of pcall
    int_of_two gc

# Take the addresses of the functions, by their names in C.
cdef inline int fill(Lua* lua, dict at) except -1:
    lua.gettop = <int_of_state><size_t>at["lua_gettop"]
    lua.pushnil = <of_state><size_t>at["lua_pushnil"]
    lua.error = <int_of_state><size_t>at["lua_error"]
    lua.type = <int_of_place><size_t>at["lua_type"]
    lua.toboolean = <int_of_place><size_t>at["lua_toboolean"]
    lua.checkstack = <int_of_place><size_t>at["lua_checkstack"]
    lua.ref = <int_of_place><size_t>at["luaL_ref"]
    lua.settop = <with_place><size_t>at["lua_settop"]
    lua.pushvalue = <with_place><size_t>at["lua_pushvalue"]
    lua.remove = <with_place><size_t>at["lua_remove"]
    lua.pushboolean = <with_place><size_t>at["lua_pushboolean"]
    lua.tonumber = <number_at><size_t>at["lua_tonumber"]
    lua.tolstring = <text_at><size_t>at["lua_tolstring"]
    lua.touserdata = <pointer_at><size_t>at["lua_touserdata"]
    lua.pushnumber = <with_number><size_t>at["lua_pushnumber"]
    lua.pushlstring = <with_text><size_t>at["lua_pushlstring"]
    lua.pushlightuserdata = <with_pointer><size_t>at["lua_pushlightuserdata"]
    lua.pushcclosure = <with_function><size_t>at["lua_pushcclosure"]
    lua.rawgeti = <with_two><size_t>at["lua_rawgeti"]
    lua.rawseti = <with_two><size_t>at["lua_rawseti"]
    lua.createtable = <with_two><size_t>at["lua_createtable"]
    lua.rawset = <with_place><size_t>at["lua_rawset"]
    lua.pcall = <call_of><size_t>at["lua_pcall"]
    lua.gc = <int_of_two><size_t>at["lua_gc"]
    return 0

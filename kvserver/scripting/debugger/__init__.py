"""The Lua debugger: its mind, its screen, its socket."""

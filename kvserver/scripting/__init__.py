"""Lua scripts and function libraries: EVAL, SCRIPT, FUNCTION, FCALL."""

"""RDB written: values become bytes, in the encodings that Redis writes itself."""

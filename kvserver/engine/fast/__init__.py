"""The fast way of the commonest requests: from the bytes that came to the bytes that go, without a Python object.

`way` serves whole plain requests as long as each is of a command that has a form here, and a form answers. A *form*
replies, or declines, and then has changed and written nothing: what is an error, an option, another type, an expired
key, or watched by anybody, is declined, and goes the way of all other requests. What a request's counters are, what is
logged, and who may run what, is decided as in `kvserver.engine.run.executor`, once for all forms. The folder refuses to
know sockets, and what an error's text is. Uncompiled there are no forms.
"""

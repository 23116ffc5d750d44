"""Whole deployments in one process, in virtual time: the real node and the real sentinel, shells included.

`loop` is time and processes; `network`, `connecting`, `ends` and `disk` what they meet there, `world` one story's of
all of them, `doors` what a program is given of it; `programs` starts the product, `cluster` a deployment of it,
`clients` use it, `faults` break it, `watches` look for what must never be, `story` puts one run together.

    PYTHONPATH=tests python -m simulation.whole --seconds 60
"""

"""The campaign against a training: kills, signals, damaged files, full disks, closed terminals, bad levels, strangers.

`make torture` runs it. A trial draws all that it does from one seed, so that a seed that broke something is enough to
see it again.
"""

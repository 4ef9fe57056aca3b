"""The hash that random numbers come from, by hand."""


def slow_mix(value: int) -> int:
    """lowbias32 on one unsigned 32-bit number, in plain integers."""
    value ^= value >> 16
    value = value * 0x7FEB352D % 2**32
    value ^= value >> 15
    value = value * 0x846CA68B % 2**32
    return value ^ (value >> 16)

"""The replays that a run keeps: a folder of files."""

REPLAYS = "replays"  # the folder of a run
SUFFIX = ".replay"

"""What `townlet.learn` is asked by: the flags of the command, as keywords."""

import inspect
import re
from pathlib import Path

import townlet
from townlet.screen.train_flags import make_parser

GUIDE = (Path(__file__).parents[3] / "docs" / "in_python.md").read_text()
NAMED_OTHERWISE = {"--set": "overrides", "--plain": "progress"}
WITHOUT = {"--dry-run": "a plan is for people to read, and what is wrong is raised before anything is written"}
OWN = {"callbacks"}  # which a command line cannot give


def test_every_flag_of_the_command_has_its_keyword_or_a_reason_why_not_and_is_told_in_the_guide():
    flags = {flag for action in make_parser()._actions for flag in action.option_strings if flag.startswith("--")}
    named = {NAMED_OTHERWISE.get(flag, flag[2:].replace("-", "_")) for flag in flags - WITHOUT.keys() - {"--help"}}
    keywords = set(inspect.signature(townlet.learn).parameters)
    assert keywords == named | OWN and WITHOUT.keys() <= flags
    table = (Path(__file__).parents[3] / "docs" / "in_python.md").read_text().partition("## The run")[0]
    assert {
        word for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for word in re.findall("`(\\w+)`", row)
    } == keywords

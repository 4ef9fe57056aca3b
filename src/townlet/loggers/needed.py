"""Packages that a logger needs, and nothing else of Townlet does."""

from importlib import import_module
from typing import Any


def needed(package: str, extra: str) -> Any:
    """Import a package and return it. Raises ImportError, which says what to install, where it is not there."""
    try:
        return import_module(package)
    except ImportError as error:
        raise ImportError(f"expected {package} to be installed, got none: pip install 'townlet[{extra}]'") from error

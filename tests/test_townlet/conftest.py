"""What tests of several rooms share: the browser."""

from support.browser import browser, sheet

__all__ = ["browser", "sheet"]

"""The bar that a command shows while it works: the one that `deepdream.dream` shows, too."""

from __future__ import annotations

from ..progress import Bar as Bar

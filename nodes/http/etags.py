"""Entity tags (RFC 9110, section 8.8.3): lists of them, and the weak and the strong comparison.

It does not decide what a comparison means for a request (`conditionals.py` does). A value that is not an entity tag
(without quotes, say) is kept as it stands: it equals its own text and is never strong.
"""

from __future__ import annotations

import re

_TAG = re.compile(r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\U0010ffff]*)"', re.IGNORECASE)
_MEMBER = re.compile(r'(?:"[^"]*"|[^,"])+|"[^,]*')


def opaque(tag: str) -> tuple[str, bool]:
    """The opaque part and whether the tag is strong. `w/` counts as the weak mark too, as a recipient may recover it."""
    tag = tag.strip(" \t")
    match = _TAG.fullmatch(tag)
    return (match["opaque"], match["weak"] is None) if match else (tag, False)


def members(value: str) -> list[str]:
    """The tags of an If-Match or If-None-Match list, as they stand; a comma within quotes belongs to its tag."""
    return [member for found in _MEMBER.findall(value) if (member := found.strip(" \t"))]


def weakly_equal(one: str | None, other: str | None) -> bool:
    """Section 8.8.3.2, weak comparison: the opaque parts are the same."""
    return one is not None and other is not None and opaque(one)[0] == opaque(other)[0]


def strongly_equal(one: str | None, other: str | None) -> bool:
    """Section 8.8.3.2, strong comparison: both strong and the same."""
    if one is None or other is None:
        return False
    first, second = opaque(one), opaque(other)
    return first == second and first[1]


def is_strong(tag: str | None) -> bool:
    """Whether it is a well-formed strong entity tag."""
    return tag is not None and opaque(tag)[1]

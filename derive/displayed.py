"""What shows itself in a notebook: as Markdown with maths, which every front end sets."""

from __future__ import annotations

from typing import Any


class Displayed:
    """Has a notebook show a value as Markdown; a terminal shows its ``repr`` as before."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        # A notebook asks for this; formulas know nothing of pages otherwise.
        from derive.publish.display import markdown_of

        return {"text/markdown": markdown_of(self), "text/plain": repr(self)}

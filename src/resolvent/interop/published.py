"""Every published layout that is understood."""

from __future__ import annotations

from resolvent.interop import huggingface, state_spaces
from resolvent.interop.layout import Config, Layout

LAYOUTS: dict[str, Layout] = {
    layout.name: layout for layout in (*huggingface.LAYOUTS, *state_spaces.LAYOUTS)
}
"""Every published layout by name."""


def find_layout(config: Config) -> Layout:
    """The layout of a config.json.

    Raises:
        ValueError: none is recognised.
    """
    for layout in LAYOUTS.values():
        if layout.recognises(config):
            return layout
    named = config.get("model_type") or "none"
    raise ValueError(
        f"config: not a layout that is understood (model_type: {named}); known are "
        f"{', '.join(LAYOUTS)}"
    )

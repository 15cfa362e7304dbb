"""A JSON object: how the journal stores values whose structure it does not define."""

from typing import Any  # JSON

Json = dict[str, Any]

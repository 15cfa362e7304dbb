"""A JSON object: what the journal keeps of values whose shape belongs to others."""

from typing import Any  # JSON

Json = dict[str, Any]

"""The secret provider. Here secrets lie in a file of the project: ask your vault in its place.

What a provider must keep is numbered in Stackyard's docs/reference/secret-providers.md.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from stackyard.errors import SecretError

FILE = Path(".stackyard") / "acme-secrets.json"  # {"NAME": "value"}


def look_up(name: str, project: Path) -> str | None:
    """Return the value of a secret, None where there is none of that name.

    It has no configuration in a stack: what a vault's client needs, its address and who asks,
    comes from the environment. Import the client here, not above, and give it a time limit.

    Raises:
        SecretError: the secrets cannot be read; says nothing of what they hold.
    """
    file = project / FILE
    try:
        with file.open(encoding="utf-8") as opened:
            if os.name == "posix" and os.fstat(opened.fileno()).st_mode & 0o077:
                raise SecretError(
                    f"secret {name!r}: {file} can be read by others. Type: chmod 600 {file}"
                )
            held = json.load(opened)
    except FileNotFoundError:
        return None
    except ValueError:  # which may have all of the text
        raise SecretError(f"secret {name!r}: {file} is not JSON") from None
    if not isinstance(held, dict):
        raise SecretError(f"secret {name!r}: {file} holds no names and values")
    value = held.get(name)
    return value if isinstance(value, str) else None

"""What a server may be asked to deploy: names of endpoints and versions, and models."""

from __future__ import annotations

import re
from collections.abc import Collection

from stackyard.components.registry import ModelPackage, Signature
from stackyard.errors import AlreadyExists, InvalidInput

# Both reach paths, addresses and, in a cluster, host names, so they are held to what all take.
ENDPOINT_NAME = re.compile(r"[a-z]([a-z0-9-]{0,48}[a-z0-9])?")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def check_deployment(
    package: ModelPackage, name: str, version: str, formats: Collection[str] | None = None
) -> None:
    """Refuse what ``deploy`` may not be asked for, before anything is touched.

    Args:
        package: The model.
        name: The endpoint's name.
        version: The model's version.
        formats: The formats that the server knows; None where it looks at them itself.

    Raises:
        InvalidInput: name or version are refused, the package has no signature, or a format that
            is not known.
    """
    check_endpoint_name(name)
    check_version(version)
    signature_of(package)
    if formats is not None and package.format not in formats:
        raise InvalidInput(
            f"endpoint {name!r}: models of format {package.format!r} are not served. "
            f"Formats: {', '.join(formats)}"
        )


def check_same_model(package: ModelPackage, name: str, version: str, digest: str) -> None:
    """Refuse to call another model a version that is served already.

    Args:
        package: The model that shall be served.
        name: The endpoint.
        version: The version that it shall be.
        digest: The digest of the model that is served as this version.

    Raises:
        AlreadyExists: it is another model.
    """
    if package.digest != digest:
        raise AlreadyExists(
            f"endpoint {name!r}: another model is served as version {version!r}. "
            "Give this one another version"
        )


def check_endpoint_name(name: str) -> str:
    """Return ``name`` if an endpoint may be called so.

    Raises:
        InvalidInput: it holds anything but lower-case ASCII letters, digits and ``-``.
    """
    if ENDPOINT_NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"endpoint name {name!r}: use up to 50 lower-case ASCII letters, digits and '-', with "
            f"a letter first and no '-' last{_instead(name)}"
        )
    return name


def check_version(version: str) -> str:
    """Return ``version`` if a served version may be called so.

    Raises:
        InvalidInput: it holds anything but ASCII letters, digits, ``_``, ``.`` and ``-``.
    """
    if VERSION.fullmatch(version) is None:
        raise InvalidInput(
            f"version {version!r}: use up to 63 ASCII letters, digits, '_', '.' and '-', with a "
            "letter or digit first"
        )
    return version


def signature_of(package: ModelPackage) -> Signature:
    """What the model takes and gives; no server can check requests without it.

    Raises:
        InvalidInput: the package has no signature.
    """
    if package.signature is None:
        raise InvalidInput(
            f"model package {package.uri}: it has no signature, so requests could not be checked. "
            "Make it with package_model(model, example=rows), or log it with a signature"
        )
    return package.signature


def endpoint_name(model: str) -> str:
    """The endpoint's name that goes with a model's: ``flight_delays`` gives ``flight-delays``."""
    return re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")


def _instead(name: str) -> str:
    near = endpoint_name(name)
    return f", e.g. {near!r}" if ENDPOINT_NAME.fullmatch(near) else ""

"""What a stack file may say about DVC."""

from __future__ import annotations

from dataclasses import dataclass

from stackyard.components.base import Secret


@dataclass(frozen=True)
class DvcConfig:
    """Where versions are kept, and where they are shared.

    Attributes:
        repo: A DVC repository that there is, relative to the project, with or without git. What is
            committed inside of it is also added to it, as ``dvc add`` does. Left out: a cache of
            the project's own in ``.stackyard/state``.
        remote: Where ``push`` and ``pull`` copy to and from: a folder (relative to the project) or
            a URL such as ``s3://bucket/path``. Left out: the default remote of ``repo``, if any.
        endpointurl: Address of the S3 service, if it is not Amazon's.
        region: Its region.
        access_key_id: Key for S3; left out, what boto finds: environment, ``~/.aws``, a role.
        secret_access_key: Its secret.
    """

    repo: str | None = None
    remote: str | None = None
    endpointurl: str | None = None
    region: str | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None

    def __post_init__(self) -> None:
        of_s3 = ("endpointurl", "region", "access_key_id", "secret_access_key")
        given = [key for key in of_s3 if getattr(self, key) is not None]
        if given and not (self.remote or "").startswith("s3://"):
            raise ValueError(f"{', '.join(given)}: only for a remote that begins with s3://")
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key: give both or none")

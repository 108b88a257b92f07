"""An export goes to a hub: the one place of this package that talks to one.

This file decides what is sent and where to. The token comes from the environment, goes into the hub's client and
nowhere else: no message shows it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from evoselfcode.datagen.exporting.place import MANIFEST
from evoselfcode.errors import EndpointError, UsageError

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")

TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""Variables that may hold the token, the first that is set being meant."""


class Destination(NamedTuple):
    """Where an export goes to.

    Attributes:
        repository: ``OWNER/NAME`` of the dataset.
        endpoint: Address of the hub; ``None`` is the library's own.
        token: What lets us write.
        public: Whether everybody may read a repository that is made for it.
    """

    repository: str
    endpoint: str | None
    token: str
    public: bool

    def __repr__(self) -> str:
        return f"Destination({self.repository!r}, endpoint={self.endpoint!r}, token=***, public={self.public})"


def destination(repository: str, environ: Mapping[str, str] = os.environ, *, public: bool = False) -> Destination:
    """Find out where an export goes to, before anything is written.

    Args:
        repository: ``OWNER/NAME``.
        environ: Where the token is, and ``HF_ENDPOINT`` if it is not the usual hub.
        public: Whether everybody may read it.

    Raises:
        UsageError: That is no repository, there is no token, or the library is not installed.
    """
    if not _REPOSITORY.fullmatch(repository) or ".." in repository or "--" in repository:
        raise UsageError(f"{repository!r} is no name of a dataset", hint="name it as OWNER/NAME")
    token = next((environ[name].strip() for name in TOKENS if environ.get(name, "").strip()), None)
    if token is None:
        raise UsageError("there is no token to push with", hint="set HF_TOKEN to one that may write")
    _library()
    return Destination(repository, environ.get("HF_ENDPOINT") or None, token, public)


def push(folder: Path, to: Destination) -> str:
    """Send the files of an export to a dataset repository, in one commit; it is made, private, if it is not there.

    What is in the repository and not in the export stays.

    Returns:
        The address of the commit.

    Raises:
        UsageError: There is no export in the folder.
        EndpointError: The hub refused or did not answer.
    """
    if not (folder / MANIFEST).is_file():
        raise UsageError(f"there is no export in {folder}", hint="run evoselfcode export first")
    hub = _library()
    api = hub.HfApi(endpoint=to.endpoint, token=to.token, library_name="evoselfcode")
    try:
        api.create_repo(to.repository, repo_type="dataset", private=not to.public, exist_ok=True)
        done = api.upload_folder(
            repo_id=to.repository,
            repo_type="dataset",
            folder_path=folder,
            commit_message="Export of evoselfcode",
        )
    except Exception as error:  # the library raises its own, its HTTP client's, and the system's
        said = str(error).replace(to.token, "***").strip().splitlines()
        raise EndpointError(
            f"the hub did not take {to.repository}: {said[0] if said else type(error).__name__}",
            hint=f"the export is in {folder}; the same command with --overwrite tries again",
        ) from None
    return str(done.commit_url)


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise UsageError("--push needs huggingface_hub", hint='pip install "evoselfcode[hub]"') from error
    return huggingface_hub

"""Every error that Stackyard raises on purpose.

    StackyardError
    ├── UsageError                 the request or a file is wrong          (exit code 2)
    │   ├── ConfigError            a stack file; names file:line:column
    │   ├── PipelineError          a pipeline or step as written
    │   ├── ParameterError         a value given for a pipeline parameter
    │   ├── PluginError            a plugin cannot be loaded or used
    │   └── SecretError            a secret or environment variable is missing
    ├── StoreError                 the store cannot be read or written     (exit code 2)
    │   ├── ArtifactNotFound
    │   ├── Unstorable             no format can hold a step's result
    │   └── DigestMismatch         what was read is not what was written
    ├── RunError                   the run was made and did not succeed    (exit code 1)
    │   ├── StepFailed             no other try can mend it
    │   │   ├── GateRefused        the uses of a test set are spent
    │   │   ├── PromotionRefused   a registry did not give a version an alias
    │   │   └── ValidationFailed   the data are not as a suite expects
    │   ├── StepTimeout
    │   └── RunCancelled
    └── ComponentError             a component of the stack                (exit code 1)
        ├── Conflict               something else is there now
        ├── Unavailable            may succeed when tried again
        ├── NotFound               the request is wrong                    (exit code 2)
        ├── AlreadyExists          the request is wrong                    (exit code 2)
        ├── InvalidInput           the request is wrong                    (exit code 2)
        └── Unsupported            the request is wrong                    (exit code 2)

A message reads: where, what is wrong, what exists, what to type. The command line prints it
without a traceback; any exception outside this tree is a bug and keeps its traceback.
"""

from __future__ import annotations


class StackyardError(Exception):
    """Root of the tree; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class UsageError(StackyardError):
    """The request or the configuration is wrong; nothing was run."""

    exit_code = 2


class ConfigError(UsageError):
    """A stack file is wrong; the message begins with ``file:line:column``."""


class PipelineError(UsageError):
    """A pipeline or a step is written in a way that cannot work."""


class ParameterError(UsageError):
    """A pipeline parameter is unknown, missing or of the wrong type."""


class PluginError(UsageError):
    """A plugin cannot be loaded, or two plugins claim the same name."""


class SecretError(UsageError):
    """A secret or an environment variable is not set where it is used."""


class StoreError(StackyardError):
    """The store cannot be read or written."""

    exit_code = 2


class ArtifactNotFound(StoreError):
    """No artifact has this digest."""


class Unstorable(StoreError):
    """No format of the store can hold a value."""


class DigestMismatch(StoreError):
    """The bytes read are not the bytes that the digest names; nothing was deserialised."""


class RunError(StackyardError):
    """A run was made and did not succeed."""


class StepFailed(RunError):
    """A step has failed and no other try can mend it: it is not retried.

    Steps raise it themselves for what waiting does not cure, such as data that there are not.
    """


class ValidationFailed(StepFailed):
    """The data of a step are not as a suite expects of them."""


class GateRefused(StepFailed):
    """A gate does not answer any more: the uses of its test set are spent."""


class PromotionRefused(StepFailed):
    """A registry that was asked for an alias refused it; the message has the reason."""


class StepTimeout(RunError):
    """A step ran longer than its timeout and was stopped."""


class RunCancelled(RunError):
    """The run was stopped from outside; it can be resumed."""


class ComponentError(StackyardError):
    """Root of what components raise, whatever tool is behind them."""


class NotFound(ComponentError):
    """The named thing does not exist."""

    exit_code = 2


class AlreadyExists(ComponentError):
    """The named thing exists and may not be made again."""

    exit_code = 2


class Conflict(ComponentError):
    """Somebody else changed the thing meanwhile."""


class Unavailable(ComponentError):
    """The backend did not answer in time; the call may be tried again."""


class InvalidInput(ComponentError):
    """The backend or the contract refuses an argument."""

    exit_code = 2


class Unsupported(ComponentError):
    """The component does not have the capability that the call needs."""

    exit_code = 2


def suggest(word: str, choices: list[str] | tuple[str, ...]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest of ``choices``, else an empty string."""
    import difflib

    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""

"""Write an ML pipeline once as plain Python; a YAML stack per environment chooses the tools.

The public names, each imported at first use so that ``import stackyard`` stays cheap.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackyard.components.base import Secret as Secret
    from stackyard.components.data_versioner import DataVersion as DataVersion
    from stackyard.components.data_versioner import DataVersioner as DataVersioner
    from stackyard.components.feature_store import FeatureStore as FeatureStore
    from stackyard.components.feature_view import ViewDefinition as ViewDefinition
    from stackyard.components.monitor import Monitor as Monitor
    from stackyard.components.orchestrator import Orchestrator as Orchestrator
    from stackyard.components.registry import ModelPackage as ModelPackage
    from stackyard.components.registry import ModelVersion as ModelVersion
    from stackyard.components.registry import Registry as Registry
    from stackyard.components.server import Server as Server
    from stackyard.components.tracker import Tracker as Tracker
    from stackyard.components.validator import Validator as Validator
    from stackyard.conditions import either as either
    from stackyard.conditions import otherwise as otherwise
    from stackyard.conditions import when as when
    from stackyard.errors import StackyardError as StackyardError
    from stackyard.events import trigger as trigger
    from stackyard.features import read_views as read_views
    from stackyard.gate import gate as gate
    from stackyard.graph import Graph as Graph
    from stackyard.hookspecs import hookimpl as hookimpl
    from stackyard.inference_log import join_labels as join_labels
    from stackyard.inference_log import read_inferences as read_inferences
    from stackyard.judging import judge as judge
    from stackyard.models import load_model as load_model
    from stackyard.models import package_model as package_model
    from stackyard.monitoring import monitor as monitor
    from stackyard.past_run import load_run as load_run
    from stackyard.period import Period as Period
    from stackyard.pipeline import Pipeline as Pipeline
    from stackyard.pipeline import pipeline as pipeline
    from stackyard.pipeline import step as step
    from stackyard.promotion import candidate as candidate
    from stackyard.promotion import champion as champion
    from stackyard.promotion import promote as promote
    from stackyard.serving import canary as canary
    from stackyard.serving import deploy as deploy
    from stackyard.serving import go_live as go_live
    from stackyard.serving import roll_back as roll_back
    from stackyard.serving import shadow as shadow
    from stackyard.signature import Resource as Resource
    from stackyard.signature import from_stack as from_stack
    from stackyard.skew import SkewReport as SkewReport
    from stackyard.skew import skew as skew
    from stackyard.suites import read_suite as read_suite
    from stackyard.validation import validate as validate

_HOMES = {
    "DataVersion": "stackyard.components.data_versioner",
    "DataVersioner": "stackyard.components.data_versioner",
    "FeatureStore": "stackyard.components.feature_store",
    "Graph": "stackyard.graph",
    "ModelPackage": "stackyard.components.registry",
    "ModelVersion": "stackyard.components.registry",
    "Monitor": "stackyard.components.monitor",
    "Orchestrator": "stackyard.components.orchestrator",
    "Period": "stackyard.period",
    "Pipeline": "stackyard.pipeline",
    "Registry": "stackyard.components.registry",
    "Resource": "stackyard.signature",
    "Secret": "stackyard.components.base",
    "Server": "stackyard.components.server",
    "SkewReport": "stackyard.skew",
    "StackyardError": "stackyard.errors",
    "ViewDefinition": "stackyard.components.feature_view",
    "Tracker": "stackyard.components.tracker",
    "Validator": "stackyard.components.validator",
    "canary": "stackyard.serving",
    "candidate": "stackyard.promotion",
    "champion": "stackyard.promotion",
    "deploy": "stackyard.serving",
    "either": "stackyard.conditions",
    "from_stack": "stackyard.signature",
    "gate": "stackyard.gate",
    "go_live": "stackyard.serving",
    "hookimpl": "stackyard.hookspecs",
    "join_labels": "stackyard.inference_log",
    "judge": "stackyard.judging",
    "load_model": "stackyard.models",
    "load_run": "stackyard.past_run",
    "monitor": "stackyard.monitoring",
    "otherwise": "stackyard.conditions",
    "package_model": "stackyard.models",
    "pipeline": "stackyard.pipeline",
    "promote": "stackyard.promotion",
    "read_inferences": "stackyard.inference_log",
    "read_suite": "stackyard.suites",
    "read_views": "stackyard.features",
    "roll_back": "stackyard.serving",
    "shadow": "stackyard.serving",
    "skew": "stackyard.skew",
    "step": "stackyard.pipeline",
    "trigger": "stackyard.events",
    "validate": "stackyard.validation",
    "when": "stackyard.conditions",
}

__all__ = [
    "DataVersion",
    "DataVersioner",
    "FeatureStore",
    "Graph",
    "ModelPackage",
    "ModelVersion",
    "Monitor",
    "Orchestrator",
    "Period",
    "Pipeline",
    "Registry",
    "Resource",
    "Secret",
    "Server",
    "SkewReport",
    "StackyardError",
    "Tracker",
    "Validator",
    "ViewDefinition",
    "canary",
    "candidate",
    "champion",
    "deploy",
    "either",
    "from_stack",
    "gate",
    "go_live",
    "hookimpl",
    "join_labels",
    "judge",
    "load_model",
    "load_run",
    "monitor",
    "otherwise",
    "package_model",
    "pipeline",
    "promote",
    "read_inferences",
    "read_suite",
    "read_views",
    "roll_back",
    "shadow",
    "skew",
    "step",
    "trigger",
    "validate",
    "when",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'stackyard' has no attribute {name!r}")
    import importlib

    found = globals()[name] = getattr(importlib.import_module(home), name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


class _Package(ModuleType):
    """The package, in which ``step`` and ``pipeline`` stay the decorators.

    Importing the modules of the same names would otherwise put those in their place.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

"""``stackyard plugin``: what is installed, what it offers, and what is broken."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from stackyard.cli import output, plugin_new
from stackyard.cli.arguments import add_json

if TYPE_CHECKING:
    from stackyard.flavors import Flavor
    from stackyard.plugins import BrokenPlugin, Plugin


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands of ``stackyard plugin``."""
    actions = parser.add_subparsers(dest="action", metavar="COMMAND", required=True)
    about = "installed plugins, what they offer, and why one is broken"
    add_json(actions.add_parser("list", help=about, description=f"{about.capitalize()}."))
    about = "what a plugin offers: flavors with every key that a stack file may give, and the rest"
    show = actions.add_parser("show", help=about, description=f"{about.capitalize()}.")
    show.add_argument("name", metavar="NAME", help="a plugin's distribution, or a flavor")
    add_json(show)
    plugin_new.configure(actions)


def run(args: argparse.Namespace) -> int:
    """Run one of the commands."""
    if args.action == "new":
        return plugin_new.run(args)
    return _list(args) if args.action == "list" else _show(args)


def _list(args: argparse.Namespace) -> int:
    from stackyard import plugins
    from stackyard.offers import DISABLED
    from stackyard.registry import faults

    found = plugins.load_here()
    wrong = [(plugin, text) for plugin in found.loaded for text in faults(plugin)]
    if args.json:
        document = {
            "plugins": [_facts(p) for p in found.loaded],
            "broken": [_broken(b) for b in found.broken],
            "faults": [{"plugin": str(plugin), "reason": text} for plugin, text in wrong],
            "disabled": found.disabled,
            "duplicates": found.ambiguous(),
        }
        output.json_document(document)
        return 0
    rows = [
        (p.name, p.distribution.version, _offers(p), output.seconds(p.seconds))
        for p in found.loaded
    ]
    rows += [(b.distribution, b.version, "nothing: it is broken", "") for b in found.broken]
    output.table(rows, ("plugin", "version", "offers", "import"), cut=("offers",))
    for broken in found.broken:
        output.warn(f"plugin {broken} is broken and not used: {broken.reason}")
    for plugin, text in wrong:
        output.warn(f"plugin {plugin}: {text}")
    for line in found.ambiguous():
        output.warn(line)
    for plugin in found.loaded:
        if plugin.slow:
            output.warn(
                f"plugin {plugin} took {output.seconds(plugin.seconds)} to import, which every "
                f"command pays: {plugin.module} should name its classes, not import them"
            )
    if found.disabled:
        output.say(f"disabled by {DISABLED}: {', '.join(found.disabled)}")
    return 0


def _offers(plugin: Plugin) -> str:
    parts = [f"{f.kind}={f.name}" for f in plugin.flavors]
    if plugin.formats:
        parts.append(f"formats: {', '.join(f.name for f in plugin.formats)}")
    if plugin.secret_providers:
        parts.append(f"secrets: {', '.join(s.name for s in plugin.secret_providers)}")
    if plugin.listens:
        names = [h.removeprefix("stackyard_") for h in plugin.listens]
        parts.append(f"listens: {', '.join(names)}")
    return "; ".join(parts) or "nothing"


def _show(args: argparse.Namespace) -> int:
    from stackyard import plugins
    from stackyard.distributions import normal_name
    from stackyard.errors import UsageError, suggest

    found = plugins.load_here()
    wanted = normal_name(args.name)
    names = {wanted, f"stackyard-{wanted}"}
    chosen = [p for p in found.loaded if names & {p.distribution.name, normal_name(p.name)}]
    flavored = [p for p in found.loaded if any(f.name == args.name for f in p.flavors)]
    for plugin in chosen or flavored:
        _show_one(plugin, args.name if not chosen else None, args.json)
        return 0
    for broken in found.broken:
        if broken.distribution in names:
            raise UsageError(f"plugin {broken} is broken and not used: {broken.reason}")
    known = sorted({p.distribution.name for p in found.loaded} | {f.name for f in found.flavors()})
    raise UsageError(
        f"no plugin or flavor {args.name!r} is installed. There are: {', '.join(known)}."
        f"{suggest(args.name, known)}"
    )


def _show_one(plugin: Plugin, flavor: str | None, as_json: bool) -> None:
    flavors = [f for f in plugin.flavors if flavor in (None, f.name)]
    if as_json:
        described = [_flavor(f) for f in flavors]
        output.json_document({**_facts(plugin), "flavors": described})
        return
    output.show(f"{plugin.distribution}, module {plugin.module}")
    if flavor is None:
        for made in plugin.formats:
            output.show(f"\nformat {made.name}, of {', '.join(made.types)}")
        for provider in plugin.secret_providers:
            output.show(f"\nsecret provider {provider.name}")
        if plugin.listens:
            names = ", ".join(h.removeprefix("stackyard_") for h in plugin.listens)
            output.show(f"\nlistens to {names}")
    for item in flavors:
        facts = _flavor(item)
        output.show(f"\n{item.kind}: {{flavor: {item.name}}}   {item.doc}".rstrip())
        if facts.get("error"):
            output.warn(facts["error"])
        rows = [(f"  {k['name']}", k["type"], k["default"], k["doc"]) for k in facts["keys"]]
        if rows:
            output.table(rows, ("  key", "type", "default", ""), wrap=True)


def _facts(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution.name,
        "version": plugin.distribution.version,
        "module": plugin.module,
        "import_seconds": round(plugin.seconds, 4),
        "flavors": [{"kind": f.kind, "name": f.name} for f in plugin.flavors],
        "formats": [f.name for f in plugin.formats],
        "secret_providers": [s.name for s in plugin.secret_providers],
        "listens": plugin.listens,
    }


def _broken(plugin: BrokenPlugin) -> dict[str, Any]:
    return {
        "distribution": plugin.distribution, "version": plugin.version, "reason": plugin.reason,
    }  # fmt: skip


def _flavor(flavor: Flavor) -> dict[str, Any]:
    """A flavor with the keys of its configuration; imports the configuration's module."""
    from stackyard.configuration import in_words
    from stackyard.errors import PluginError
    from stackyard.registry import component_class, config_class
    from stackyard.shape import field_docs, shape_of

    facts: dict[str, Any] = {"kind": flavor.kind, "name": flavor.name, "doc": flavor.doc}
    try:
        component_class(flavor)
    except PluginError as exc:  # its keys may be known all the same
        facts["error"] = str(exc)
    try:
        cls = config_class(flavor)
    except PluginError as exc:
        return {**facts, "keys": [], "error": str(exc)}
    docs = field_docs(cls)
    facts["keys"] = [
        {
            "name": name,
            "type": in_words(key.type),
            "default": "required" if key.required else _shown(key.default),
            "doc": docs.get(name, "").replace("``", ""),
        }
        for name, key in shape_of(cls).keys.items()
    ]
    return facts


def _shown(default: object) -> str:
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)

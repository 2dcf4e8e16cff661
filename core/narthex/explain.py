"""The house on one screen: what is asked in which order, and the line of the file each came from."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from narthex.chain import Kind
from narthex.config import Config
from narthex.config.places import setting_text
from narthex.hooks import STAGES
from narthex.identity import Identity
from narthex.loader import Built
from narthex.paths import odd_path
from narthex.plan import Plan, Step, Taken
from narthex.rehearsal import Asked, Rehearsal, rehearse_blocking, scope_of
from narthex.routing import AUTHENTICATED, PUBLIC
from narthex.verdict import Allow, Answer, Deny, Verdict

_BEFORE_APP: Final = ("admit", "authenticate", "vet", "authorize", "witness")
_AFTER_APP: Final = ("respond", "observe")


def house(built: Built, config: Config) -> str:
    """The whole house."""
    lines = [
        f"{config.source or 'no file'}: {_count(len(built.guests), 'plugin')}",
        "",
        "The walk of one request",
    ]
    lines += _stages(built.chain.steps[stage] for stage in _BEFORE_APP)
    lines.append(f"     {'app':<14}{config.settings.app or 'given in code'}{_wrapped(built)}")
    lines += _stages((built.chain.steps[stage] for stage in _AFTER_APP), first=len(_BEFORE_APP) + 1)
    lines += ["", "Paths"]
    lines += list(_paths(built, config))
    lines += list(_by_environment(config))
    return "\n".join(lines)


def path(built: Built, config: Config, method: str, target: str) -> str:
    """What would be asked of one request, without sending it.

    Args:
        built: from `loader.survey`.
        config: where `built` came from.
        method: an HTTP method, or WEBSOCKET.
        target: the path below the app's mount point, percent-encoded as it would be sent.
    """
    scope = scope_of(method, target)
    kind: Kind = "websocket" if scope["type"] == "websocket" else "http"
    plan = built.chain.plan(scope, kind)
    lines = [f"{method.upper()} {target}"]
    why = odd_path(scope) if plan.strict else None
    if why is not None:
        return "\n".join([*lines, f"  refused with 400 odd_path: {why}"])
    lines += [f"  {line}" for line in _about(plan, config, scope["path"], built)]
    lines += _asked(plan, _BEFORE_APP)
    lines.append(f"     {'answers':<14}{_answers(plan, config)}")
    lines += _asked(plan, _AFTER_APP)
    return "\n".join(lines)


def verdict(built: Built, config: Config, method: str, target: str, identity: Identity | None, called: str = "") -> str:
    """What would become of one request of this identity, without sending it: every verdict, its rule, and why.

    Args:
        built: from `loader.survey`.
        config: where `built` came from.
        method: an HTTP method, or WEBSOCKET.
        target: the path below the app's mount point, percent-encoded as it would be sent.
        identity: who would ask, or None for an anonymous caller.
        called: the name of the account that the identity is that of.
    """
    found = rehearse_blocking(built.chain, built.tenancy.permissions(), method, target, identity)
    plan, route_path = found.plan, scope_of(method, target)["path"]
    lines = [f"{method.upper()} {target} as {_who(identity, called)}"]
    lines += [f"  {line}" for line in _about(plan, config, route_path, built)]
    lines += _said(found.asked)
    lines.append(f"     {'answers':<14}{_answers(plan, config)}")
    lines += [f"     {'verdict' if first else '':<14}{line}" for first, line in _outcome(found)]
    return "\n".join(lines)


def _who(identity: Identity | None, called: str) -> str:
    if identity is None:
        return "an anonymous caller"
    parts = [
        f"{name} {' '.join(sorted(words))}"
        for name, words in (("roles", identity.roles), ("permissions", identity.permissions))
        if words
    ]
    subject = f"{called}, subject {identity.subject}" if called else identity.subject
    return f"{subject} ({', '.join(parts) or 'no roles'})"


def _said(asked: Sequence[Asked]) -> Iterator[str]:
    """The steps with what they answered, under the numbers that their stages have in the whole house."""
    before = ""
    for one in asked:
        stage = one.step.hook
        number = "" if stage == before else str(STAGES.index(stage) + 1)
        before = stage
        yield f"  {number:<3}{stage:<14}{_step(one.step)}"
        if one.note:
            yield f"     {'':<14}{one.note}"
        if one.verdict is not None:
            yield from (f"     {'':<14}{line}" for line in _verdict(one.verdict))
        elif not one.note:
            yield f"     {'':<14}nothing to say"


def _verdict(given: Verdict) -> Iterator[str]:
    match given:
        case Allow():
            yield f"allow: {given.reason or 'no reason given'}"
        case Deny():
            yield f"deny with {given.status} {given.code}: {given.reason or 'no reason given'}"
        case Answer():
            yield f"answer with {given.status}"
    if not isinstance(given, Answer) and given.rule:
        yield f"rule {given.rule}"


def _outcome(found: Rehearsal) -> Iterator[tuple[bool, str]]:
    given = found.verdict
    match given:
        case None if not found.known:
            missed = ", ".join(one.step.instance for one in found.asked if one.missed)
            yield True, f"not known: {missed} could not be asked"
        case None:
            yield True, "let through"
        case Allow():
            yield True, f"let through, by {found.by}"
        case Deny():
            yield True, f"refused with {given.status} {given.code}, by {found.by}"
            if given.reason and not any(one.verdict is given for one in found.asked):
                yield False, given.reason
        case Answer():
            yield True, f"answered with {given.status}, by {found.by}"


def _stages(stages: Iterable[Sequence[Step]], first: int = 1) -> Iterator[str]:
    names = STAGES[first - 1 :]
    for number, (name, steps) in enumerate(zip(names, stages, strict=False), first):
        shown = [_step(step) for step in steps] or ["-"]
        yield f"  {number}  {name:<14}{shown[0]}"
        for more in shown[1:]:
            yield f"     {'':<14}{more}"


def _asked(plan: Plan, stages: Sequence[str]) -> Iterator[str]:
    """The steps of one request, under the numbers that their stages have in the whole house."""
    for stage in stages:
        number = str(STAGES.index(stage) + 1)
        for step in getattr(plan, stage):
            yield f"  {number:<3}{stage:<14}{_step(step)}"
            number = ""


def _step(step: Step) -> str:
    traits = [step.where] if step.where else []
    if step.plugin != step.instance:
        traits.append(f"a {step.plugin}")
    if step.shadow:
        traits.append("shadow: refuses nothing")
    if step.is_async and step.timeout is not None:
        traits.append(f"at most {step.timeout:g} s")
    return f"{step.instance:<16}{', '.join(traits)}"


def _wrapped(built: Built) -> str:
    parts = [f"{len(found)} {side}" for side, found in (("outside", built.outside), ("inside", built.inside)) if found]
    return f"  (wrapped: {', '.join(parts)})" if parts else ""


def _paths(built: Built, config: Config) -> Iterator[str]:
    settings = config.settings
    for key, patterns in (("open", settings.open), ("quiet", settings.quiet)):
        shown = ", ".join(str(pattern) for pattern in patterns) or "none"
        yield f"  {key:<9}{shown}{_line(config, key)}"
    yield f"  {'strict':<9}{_strictness(built, config)}{_line(config, 'strict_paths')}"
    yield f"  {'proxies':<9}{', '.join(settings.trusted_proxies) or 'none trusted'}{_line(config, 'trusted_proxies')}"
    rows = [_cells(taken) for taken in built.chain.routes]
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    for row in rows:
        aligned = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield f"  {'taken':<9}{'   '.join((*aligned, row[4]))}".rstrip()


def _by_environment(config: Config) -> Iterator[str]:
    """The settings that do not say what the file says."""
    variables = config.places.variables
    if variables:
        yield from ("", "By environment")
    for key, variable in variables.items():
        yield f"  {setting_text(key):<32}{variable}"


def _strictness(built: Built, config: Config) -> str:
    if not config.settings.strict_paths:
        return "off"
    if not any(built.chain.steps[stage] for stage in ("admit", "authenticate", "vet", "authorize")):
        return "no guard is on, so odd paths pass to the app"
    return "odd paths are refused"


def _line(config: Config, key: str) -> str:
    return f"   {config.where(('narthex', key))}" if key in config.settings.model_fields_set else ""


def _taken(taken: Taken) -> str:
    return "   ".join(filter(None, _cells(taken)))


def _cells(taken: Taken) -> tuple[str, str, str, str, str]:
    """Methods, path, who may, whose it is, what it is for."""
    route = taken.route
    methods = "WEBSOCKET" if route.kind == "websocket" else ",".join(route.methods)
    access = {PUBLIC: "public", AUTHENTICATED: "any identity"}.get(route.access, f"needs {route.access}")
    return methods, taken.path, access, f"by {taken.instance} {taken.where}".rstrip(), route.summary


def _about(plan: Plan, config: Config, found: str, built: Built) -> Iterator[str]:
    if plan.taken is None and plan.open:
        pattern = built.chain.open_paths.matches(found)
        yield f"open: credentials are optional, nothing is authorized ({pattern}{_line(config, 'open')})"
    if plan.quiet:
        yield f"quiet: no access line, no span, not counted ({built.chain.quiet_paths.matches(found)})"


def _answers(plan: Plan, config: Config) -> str:
    if plan.taken is not None:
        return f"plugin endpoint {_taken(plan.taken)}"
    if plan.allowed_methods:
        return f"405: a plugin's path, with {', '.join(plan.allowed_methods)}"
    return f"the app {config.settings.app or ''}".rstrip()


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number or 'no'} {what}s"

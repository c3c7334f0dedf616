"""An explanation for the terminal: the answer first, then why. Made from the JSON alone."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

HEAD = "of answers"
MOST_ANSWERS = 40  # lines; --json has all
MOST_ENDPOINTS = 10  # of one pool, beside those that are not as they should be
GOOD, BAD, ODD, QUIET = "green", "red", "yellow", "dim"

Json = dict[str, Any]


def explanation(told: Json) -> RenderableType:
    """Return all of it."""
    subnet = f" in {told['subnet']}" if told["subnet"] else ""
    head = Text(f"{told['name']} {told['type']} for {told['client']}{subnet}", "bold")
    parts: list[RenderableType] = [head, _outcome(told)]
    if told["answers"]:
        parts.append(_answers(told))
    parts.append(_why(told))
    return Group(*parts)


def _outcome(told: Json) -> Text:
    words = told["rcode"]
    if "referral" in told:
        words = f"a referral to {', '.join(told['referral'])}"
    elif words == "NOERROR" and not told["answers"]:
        words = "NODATA"
    style = GOOD if told["answers"] else BAD if words == "SERVFAIL" else ODD
    rest = "" if told["ttl"] is None else f", TTL {told['ttl']}"
    if told["target"]:
        rest += f", scope /{told['scope']}"
    return Text.assemble((words, style), f"{rest}, because of: {told['reason']}")


def _answers(told: Json) -> Text:
    """Return the answers, those of names behind a CNAME under their name."""
    owners = list(dict.fromkeys([told["name"], *(answer["name"] for answer in told["answers"])]))
    ordered = sorted(told["answers"], key=lambda answer: owners.index(answer["name"]))
    shown = ordered[:MOST_ANSWERS]
    shares = [share(answer).partition(" ") for answer in shown]
    width = max(len(HEAD), *(len(percent) for percent, _, _ in shares))
    more_width = max(len(rest) for _, _, rest in shares)
    lines = [f"  {HEAD:>{width}}  {'':{more_width + 2 if more_width else 0}}record"]
    owner = told["name"]
    for answer, (percent, _, rest) in zip(shown, shares, strict=True):
        if answer["name"] != owner:
            owner = answer["name"]
            lines.append(f"  {owner}")
        rtype = "" if answer["type"] == told["type"] else f"{answer['type']} "
        fraction = f"{rest:<{more_width}}  " if more_width else ""
        lines.append(f"  {percent:>{width}}  {fraction}{rtype}{answer['data']}")
    more = len(told["answers"]) - MOST_ANSWERS
    if more > 0:
        lines.append(f"  and {more} more (--json has all)")
    return Text("\n".join(lines), overflow="fold")


def share(told: Json) -> str:
    """Return a probability in percent, exact, or else as a fraction too."""
    percent = f"{told['probability'] * 100:.4f}".rstrip("0").rstrip(".") + "%"
    exact = told.get("exact")
    if exact is None:
        return f"{percent} (estimated)"
    top, _, bottom = exact.partition("/")
    if bottom and int(top) * 1_000_000 % int(bottom):
        return f"{percent} ({exact})"
    return percent


def _why(told: Json) -> Tree:
    tree = Tree("why", guide_style=QUIET)
    _client(tree, told)
    name = told["why"]
    if told["wildcard"]:
        name += f", by the wildcard {told['wildcard']}"
    _add(tree, "name", f"{name}, in the zone {told['zone']}" if told["zone"] else name)
    for link in told["links"]:
        _add(tree, "alias", f"{link['name']} {link['type']} {link['data']}")
    _steered(tree, told)
    if told["ttl"] is not None:
        _add(tree, f"TTL {told['ttl']}", told["ttl_reason"])
    _add(tree, f"scope /{told['scope']}", told["scope_reason"])
    return tree


def _add(tree: Tree, head: str, words: str, style: str = "") -> Tree:
    return tree.add(Text.assemble((head, "bold"), (f": {words}" if words else "", style)))


def _client(tree: Tree, told: Json) -> None:
    counts = told["counts"]
    facts = ", ".join(f"{key} {_value(value)}" for key, value in counts["facts"].items())
    words = f"{counts['because']}; {facts or 'nothing is known of it'}"
    branch = _add(tree, f"client {counts['address']}", words)
    if counts["problem"]:
        branch.add(Text(f"not looked up: {counts['problem']}", BAD))
    for region in told["regions"]:
        branch.add(Text(f"in {region['name']}: {', '.join(region['by'])}"))
    if not told["live"]:
        _add(tree, "health", "not known from a file: all counts as up")
    assumed = told["assumed"]
    for state in ("down", "up"):
        if assumed[state]:
            _add(tree, f"assumed {state}", ", ".join(assumed[state]), ODD)


def _value(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _steered(tree: Tree, told: Json) -> None:
    """Add what is told of a steered name: rules, target, where its CNAMEs lead."""
    if told.get("rules"):
        _rules(_add(tree, "rules", "tried from the top"), told["rules"])
    place = told.get("place")
    if place is not None:
        where = place["by"]
        if place["latitude"] is not None:
            where = f"{place['latitude']:g}, {place['longitude']:g} by {where}"
        _add(tree, "place", where)
    _stages(tree, told)
    if told.get("hash"):
        _add(tree, "hash", f"of {told['hash']}, the client's network")
    for follow in told.get("follows", ()):
        _follow(tree, follow)


def _stages(tree: Tree, told: Json) -> None:
    """Add the looks at the target; of those that found nothing, only what they tell anew."""
    stages = told.get("target") or []
    vain = [stage for stage in stages if not stage["available"]]
    if len(vain) > 1:  # no usable endpoint at all: minima matter no more
        vain = vain[1:]
    for stage in vain[:-1] if stages and not stages[-1]["available"] else vain:
        passed = _add(tree, "target", f"not available: {stage['says']}", BAD)
        for pool in dict.fromkeys(_pools(stage["target"])):
            passed.add(Text(pool))
    steps: list[Callable[[], object]] = (
        [lambda: _last_stage(tree, stages[-1], told)] if stages else []
    )
    if told.get("all_down"):
        so = partial(_add, tree, "so", told["all_down"], ODD)
        steps.insert(0 if stages and stages[-1]["available"] else len(steps), so)
    for step in steps:
        step()


def _rules(branch: Tree, rules: list[Json]) -> None:
    for rule in rules:
        if rule["matched"]:
            branch.add(Text(f"matched {rule['region']}: {rule['why']}", GOOD))
        elif rule["matched"] is False:
            branch.add(Text(f"no {rule['region']}: {rule['why']}"))
    rest = [rule["region"] for rule in rules if rule["matched"] is None]
    if rest:
        branch.add(Text(f"not tried: {', '.join(rest)}", QUIET))


def _pools(node: Json) -> Iterator[str]:
    if node["kind"] == "pool":
        yield f"{node['pool']}: {node['why']}"
    for member in node.get("members", ()):
        yield from _pools(member)


def _last_stage(tree: Tree, stage: Json, told: Json) -> None:
    pools = {pool["name"]: pool for pool in told["pools"]}
    node = stage["target"]
    taken = stage["available"]
    if node["kind"] == "pool":
        _pool(tree, node | {"taken": taken}, pools)
        return
    if taken:
        branch = _add(tree, "target", _kind_words(node))
    else:
        branch = _add(tree, "target", f"not available: {stage['says']}", BAD)
    _members(branch, node, pools, taken)


def _kind_words(node: Json, brief: bool = False) -> str:
    words = {
        "chain": "a chain, the first that is available answers",
        "nearest": "a chain by distance, the first that is available answers",
        "weights": "by weight, among those that are available",
        "all": "together, the endpoints of all that are available",
        "federation": "every usable endpoint",
    }[node["kind"]]
    if brief:
        words = words.partition(",")[0]
    return f"{words}; {node['why']}" if node["why"] else words


def _members(branch: Tree, node: Json, pools: dict[str, Json], taken: bool) -> None:
    for member in node["members"]:
        inner = member | {"taken": taken and member.get("taken", False)}
        if member["kind"] == "pool":
            _pool(branch, inner, pools)
            continue
        words = f"{_label(inner)}{_kind_words(member, brief=True)}"
        text = Text.assemble((f"{_state(inner)}: ", _style(inner)), words)
        _members(branch.add(text), member, pools, inner["taken"])


def _state(node: Json) -> str:
    if node["taken"]:
        return f"answers {share(node)}" if "exact" in node else "answers"
    if not node.get("reached", True):
        return "not needed"
    if node.get("held"):
        return "not yet"  # its reason says that it is held back, and for how long
    return "not drawn" if node["available"] else "passed over"


def _style(node: Json) -> str:
    if node["taken"]:
        return GOOD
    return QUIET if not node.get("reached", True) else ODD if node["available"] else BAD


def _label(node: Json) -> str:
    words = ""
    if "label" in node and node["label"] != node.get("pool"):
        words = f"{node['label']}, "
    if "weight" in node:
        words += f"weight {node['weight']}, "
    if node.get("distance_km") is not None:
        words += f"{node['distance_km']:,.0f} km, "
    return words


def _pool(branch: Tree, node: Json, pools: dict[str, Json]) -> None:
    """Add a pool, and its endpoints where they are told of for the first time."""
    words = f", {_label(node)}{node['why']}"
    text = Text.assemble((f"{_state(node)}: ", _style(node)), (node["pool"], "bold"), words)
    inner = branch.add(text)
    pool = pools.pop(node["pool"], None)
    if pool is None:
        return
    wanted = [each for each in pool["endpoints"] if not each["why"].startswith("not asked for")]
    odd = [each for each in wanted if _is_odd(each)]
    plain = [each for each in wanted if not _is_odd(each)]
    shown = [*odd, *plain[: max(0, MOST_ENDPOINTS - len(odd))]]
    for endpoint in wanted:
        if any(endpoint is each for each in shown):
            inner.add(_endpoint(endpoint))
    if len(shown) < len(wanted):
        inner.add(Text(f"and {len(wanted) - len(shown)} more that are usable", QUIET))


def _is_odd(endpoint: Json) -> bool:
    return bool(
        not endpoint["usable"]
        or endpoint["override"]
        or endpoint["assumed"]
        or endpoint["ramp"] < 1
    )


def _endpoint(told: Json) -> Text:
    parts = [share(told)] if told["probability"] else [told["why"]]
    if told["host"]:
        parts.append(f"of {told['host']}")
    if told["weight"]:
        parts.append(f"weight {told['weight']}")
    if told["ramp"] < 1:
        parts.append(f"comes back with {told['ramp']:.0%} of its weight")
    if told["probability"] and not told["usable"]:
        parts.append(told["why"])
    parts += _health(told)
    style = GOOD if told["usable"] else BAD
    return Text.assemble((told["address"], style), f": {', '.join(parts)}")


def _health(told: Json) -> Iterator[str]:
    if told["assumed"]:
        yield f"assumed {told['assumed']}"
    override = told["override"]
    if override is not None:
        until = f" until {_short(override['expires'])}" if override["expires"] else ""
        whose = "" if override["of"] == "endpoint" else f" of the {override['of']}"
        yield f"override{whose}: {override['state']}, says {override['owner']}{until}"
        yield override["reason"]
    for check in told["checks"]:
        yield from _check(check)


def _check(check: Json) -> Iterator[str]:
    last = check["last_result"]
    if check["verdict"] == "up" and last is None:
        return
    words = f"{check['check']} {check['verdict']}"
    if check["since"]:
        words += f" since {_short(check['since'])}"
    if last is not None and (check["verdict"] == "down" or not last["success"]):
        words += f" ({last['reason']})"
    if check["ejected_for"]:
        words += f", ejected for {check['ejected_for']:.0f} s more"
    yield words


def _short(when: str) -> str:
    """Return a time of day in UTC without what is below a second."""
    return when.partition(".")[0] + "Z"


def _follow(tree: Tree, told: Json) -> None:
    """Add what a CNAME leads to."""
    chance = f" in {share(told)}" if told.get("exact", "1") != "1" else ""
    words = told.get("why") or f"answered by {told.get('owner')}"
    branch = _add(tree, f"leads to {told['name']}{chance}", words)
    for link in told.get("links", ()):
        _add(branch, "alias", f"{link['name']} {link['type']} {link['data']}")
    if "target" in told:
        _steered(branch, told)
        _add(branch, f"TTL {told['own_ttl']}", told["ttl_reason"])
        _add(branch, f"scope /{told['own_scope']}", told["scope_reason"])

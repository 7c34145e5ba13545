"""What pydantic found wrong, in words for a person at a command line: no regular expressions, no types' names."""

from typing import Any, Final

from pydantic import ValidationError

_FORMS: Final = {
    r"^[a-z0-9][a-z0-9_-]{0,39}$": "up to 40 lower-case letters, digits, '_' and '-', a letter or digit first",
    r"^[a-z0-9][a-z0-9._-]{0,63}$": "up to 64 lower-case letters, digits, '.', '_' and '-', a letter or digit first",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "up to 64 letters, digits, '.', '_' and '-', a letter or digit first",
    r"^[A-Za-z0-9_-]{16,80}$": "16 to 80 letters, digits, '_' and '-'",
    r"^[a-z0-9_]{1,40}@[a-z0-9.]{1,20}$": "NAME@VERSION, as in resnet50@5",
    r"^[a-z0-9_]{1,40}$": "up to 40 lower-case letters, digits and '_'",
    r"^[a-z0-9.]{1,20}$": "up to 20 lower-case letters, digits and '.'",
    r":\d{1,5}$": "host:port",
}
"""Pattern of the contract or of a setting -> what it asks for."""
_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "string_pattern_mismatch": "must be {pattern}",
    "string_too_short": "must have {min_length} letters or more",
    "string_too_long": "must have {max_length} letters or fewer",
    "too_short": "must be {min_length} or more",
    "too_long": "must be {max_length} or fewer",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "finite_number": "must be a number",
    "int_from_float": "must be a whole number",
    "timezone_aware": "must be a time with its zone, as in 2026-11-23T08:00Z",
    "model_type": "must be a table of its own",
    "is_instance_of": "must be text, written as for the option of that name",
    "zoneinfo_str": "must be a time zone, as in Europe/Rome",
}
_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a table",
    "datetime": "a time, as in 2026-11-23T08:00Z",
    "path": "a path",
    "json": "JSON",
}

_OWN: Final = {"value_error", "assertion_error"}
"""What our own validators raise, in their words."""


def reasons(error: ValidationError) -> list[str]:
    """A clause on each thing that is wrong: where, and what it must be.

    >>> from schemas.experiment import Arm
    >>> try: Arm.model_validate({"name": "A!", "model": "resnet50", "version": "5", "weight": 2})
    ... except ValidationError as error: reasons(error)[1]
    'weight must be 1 or less'
    """
    clauses = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        own = problem["type"] in _OWN
        clauses.append(f"{where}{':' if own and where else ''} {reason(problem)}".strip())
    return clauses


def reason(problem: Any) -> str:
    """What one of an error's `errors()` must be: what follows its name in a sentence."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in _OWN:
        return str(context["error"])
    context = {name: int(v) if isinstance(v, float) and v.is_integer() else v for name, v in context.items()}
    if kind == "string_pattern_mismatch":
        context = {"pattern": _FORMS.get(context["pattern"], "written otherwise")}
    words = _WORDS.get(kind) or f"must be {_KINDS.get(kind.partition('_')[0], 'something else')}"
    if context.get("min_length") == 1:
        words = "must not be empty"
    return words.format(**context)

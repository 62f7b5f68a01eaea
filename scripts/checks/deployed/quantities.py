"""Quantities such as `500m` and `4Gi`: the schemas accept any text, but the API server does not."""

import decimal
import re

QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(e\d+|[numkMGTPE]|[KMGTPE]i)?")
FIELDS = {"cpu", "memory", "storage", "ephemeral-storage", "sizeLimit"}
UNITS = {
    **{unit: decimal.Decimal(1000) ** power for power, unit in enumerate("num", start=-3)},
    **{unit: decimal.Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": decimal.Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


def problems(value, path="document"):
    """Fields with an invalid quantity, and requests above their limits."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from problems(one, f"{path}.{number}")
    if not isinstance(value, dict):
        return
    for name, one in value.items():
        if name in FIELDS and isinstance(one, (str, int, float)) and size(one) is None:
            yield f"{path}.{name}: {one!r} is not a quantity"
        yield from problems(one, f"{path}.{name}")
    if isinstance(value.get("requests"), dict) and isinstance(value.get("limits"), dict):
        for name, asked in value["requests"].items():
            asked, limit = size(asked), size(value["limits"].get(name, ""))
            if asked is not None and limit is not None and asked > limit:
                yield f"{path}.requests.{name} is more than its limit"


def size(text):
    """A quantity as a number; None for an invalid one."""
    found = QUANTITY.fullmatch(str(text))
    if not found:
        return None
    number, unit = found.groups()
    if unit and unit.startswith("e"):
        return decimal.Decimal(number + unit)
    return decimal.Decimal(number) * UNITS.get(unit, 1)

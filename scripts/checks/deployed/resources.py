"""JSON schemas of custom resources, derived from the classes that cloudcoil publishes.

The classes are generated from the resources' definitions. They need a newer Python than the checks, so the checks parse
their source without running it. Unknown fields are an error here; the API server would drop them silently.
"""

import ast
import functools
import re

import jsonschema
import kubernetes_validate

from ..tree import ENGINES

# (apiVersion, kind) -> file in .engines/schemas.
PUBLISHED = {
    ("keda.sh/v1alpha1", "ScaledObject"): "keda.py",
    ("keda.sh/v1alpha1", "TriggerAuthentication"): "keda.py",
    ("monitoring.coreos.com/v1", "ServiceMonitor"): "prometheus_operator.py",
    ("monitoring.coreos.com/v1", "PodMonitor"): "prometheus_operator.py",
    ("monitoring.coreos.com/v1", "PrometheusRule"): "prometheus_operator.py",
}
PLAIN = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
# A limit's name in pydantic -> its name in JSON schema, for values that are not lists.
LIMITS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum",
          "min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"}  # fmt: skip
OF_LISTS = {"min_length": "minItems", "max_length": "maxItems"}


def problems(document, version):
    """Problems of a custom resource. The schema of Kubernetes checks its metadata."""
    validator = schema(PUBLISHED[document["apiVersion"], document["kind"]], document["kind"])
    for error in validator.iter_errors(document):
        yield f"{'.'.join(str(part) for part in error.path) or 'document'}: {error.message}"
    try:
        bare = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": document.get("metadata")}
        kubernetes_validate.validate(bare, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(str(part) for part in error.path)}: {error.message}"


@functools.cache
def schema(file, kind):
    """The validator of one kind."""
    classes = source(file)
    definitions, waiting = {}, [kind]
    while waiting:
        name = waiting.pop()
        if name in definitions:
            continue
        definitions[name], uses = read_class(classes[name], classes)
        waiting.extend(uses)
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": definitions})


@functools.cache
def source(file):
    """The source of each class by name. Only the needed classes are parsed."""
    parts = re.split(r"^class (?=\w)", (ENGINES / "schemas" / file).read_text(), flags=re.MULTILINE)[1:]
    return {re.match(r"\w+", part).group(): "class " + part for part in parts}


def read_class(text, classes):
    """A class as a schema, and the classes that it uses."""
    (tree, *_) = ast.parse(text).body
    uses, properties, required = set(), {}, []
    root = any(isinstance(base, ast.Subscript) and ast.unparse(base.value) == "RootModel" for base in tree.bases)
    for field in tree.body:
        if not isinstance(field, ast.AnnAssign) or field.target.id.startswith("__"):
            continue
        kind, details = annotated(field.annotation)
        value = limited(read_type(kind, classes, uses), details)
        if root:
            return value, uses
        name = details.pop("alias", field.target.id)
        properties[name] = value
        if field.value is None:
            required.append(name)
    if any(isinstance(line, ast.Assign) and "extra='allow'" in ast.unparse(line) for line in tree.body):
        return {"type": "object"}, set()
    return {
        "type": "object", "properties": properties, "required": required, "additionalProperties": False,
    }, uses  # fmt: skip


def annotated(node):
    """`Annotated[T, Field(alias=…, ge=…)]` as T and the field's details."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Annotated":
        kind, *rest = node.slice.elts
        pairs = [keyword for call in rest if isinstance(call, ast.Call) for keyword in call.keywords]
        return kind, {pair.arg: pair.value.value for pair in pairs if isinstance(pair.value, ast.Constant)}
    return node, {}


def limited(value, details):
    names = {**LIMITS, **OF_LISTS} if value.get("type") == "array" else LIMITS
    return {**value, **{names[name]: limit for name, limit in details.items() if name in names}}


def read_type(node, classes, uses):
    """An annotation as a schema. `None` means that a field may be missing; a null value is refused."""
    if isinstance(node, ast.BinOp):
        kinds = [kind for kind in (node.left, node.right) if ast.unparse(kind) != "None"]
        schemas = [read_type(kind, classes, uses) for kind in kinds]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    if isinstance(node, ast.Subscript):
        outer = ast.unparse(node.value)
        if outer == "Annotated":
            kind, details = annotated(node)
            return limited(read_type(kind, classes, uses), details)
        if outer == "Literal":
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return {"enum": [part.value for part in parts]}
        if outer == "list":
            return {"type": "array", "items": read_type(node.slice, classes, uses)}
        if outer == "dict":
            return {"type": "object", "additionalProperties": read_type(node.slice.elts[1], classes, uses)}
    name = node.value if isinstance(node, ast.Constant) else ast.unparse(node)
    if name in PLAIN:
        return {"type": PLAIN[name]}
    if name in classes:
        uses.add(name)
        return {"$ref": f"#/$defs/{name}"}
    return {}  # Times, metadata and free-form values.

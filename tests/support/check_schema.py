#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_schema.py SCHEMA FILE...: do the JSON files conform to the schema?

Standard library only, hence the subset of JSON Schema (draft 07) that
deploy/report.schema.json uses; a keyword outside the subset is an error, so
that nothing in the schema goes unchecked. Stricter than JSON Schema in one
point: a key that is not described is a violation, too. Prints every violation with its path;
exit 0 when there is none, 1 otherwise, 2 for wrong usage.
"""
import json
import re
import sys

ANNOTATIONS = {"$schema", "$id", "title", "description", "definitions"}
KEYWORDS = ANNOTATIONS | {
    "$ref", "type", "properties", "required", "additionalProperties", "items", "enum", "const",
    "minimum", "maximum", "minItems", "maxItems", "pattern",
}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


TYPES = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: is_number(v) and float(v).is_integer(),
    "number": is_number,
    "string": lambda v: isinstance(v, str),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}


class Checker:
    def __init__(self, root):
        self.root = root
        self.problems = []

    def complain(self, path, text):
        self.problems.append(f"{path or '/'}: {text}")

    def resolve(self, ref):
        if not ref.startswith("#/"):
            raise ValueError(f"only local references are supported, not {ref}")
        schema = self.root
        for part in ref[2:].split("/"):
            schema = schema[part]
        return schema

    def check(self, schema, value, path):
        if schema is True:
            return
        unknown = set(schema) - KEYWORDS
        if unknown:
            raise ValueError(f"schema keywords outside the subset: {sorted(unknown)}")
        if "$ref" in schema:
            self.check(self.resolve(schema["$ref"]), value, path)
            return
        types = schema.get("type")
        if types is not None:
            types = [types] if isinstance(types, str) else types
            if not any(TYPES[t](value) for t in types):
                self.complain(path, f"is {json.dumps(value)[:60]}, not of type {'/'.join(types)}")
                return
        self.check_value(schema, value, path)
        if isinstance(value, dict):
            self.check_object(schema, value, path)
        if isinstance(value, list):
            self.check_array(schema, value, path)

    def check_value(self, schema, value, path):
        if "const" in schema and value != schema["const"]:
            self.complain(path, f"is {json.dumps(value)[:60]}, not {json.dumps(schema['const'])}")
        if "enum" in schema and value not in schema["enum"]:
            self.complain(path, f"is {json.dumps(value)[:60]}, not one of {schema['enum']}")
        if is_number(value):
            if value < schema.get("minimum", value):
                self.complain(path, f"is {value}, less than {schema['minimum']}")
            if value > schema.get("maximum", value):
                self.complain(path, f"is {value}, more than {schema['maximum']}")
        if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
            self.complain(path, f"is {value!r}, which does not match {schema['pattern']}")

    def check_object(self, schema, value, path):
        for key in schema.get("required", []):
            if key not in value:
                self.complain(path, f"lacks the key {key!r}")
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties", "properties" not in schema)
        for key, item in value.items():
            if key in properties:
                self.check(properties[key], item, f"{path}/{key}")
            elif others is False:
                self.complain(path, f"has the unknown key {key!r}")
            else:
                self.check(others, item, f"{path}/{key}")

    def check_array(self, schema, value, path):
        if len(value) < schema.get("minItems", 0):
            self.complain(path, f"has {len(value)} items, fewer than {schema['minItems']}")
        if len(value) > schema.get("maxItems", len(value)):
            self.complain(path, f"has {len(value)} items, more than {schema['maxItems']}")
        for i, item in enumerate(value):
            self.check(schema.get("items", True), item, f"{path}/{i}")


def refuse_constant(text):
    raise ValueError(f"{text} is not JSON")


def main(arguments):
    if len(arguments) < 2:
        print("usage: check_schema.py SCHEMA FILE...", file=sys.stderr)
        return 2
    with open(arguments[0], encoding="utf-8") as source:
        schema = json.load(source)
    is_good = True
    for name in arguments[1:]:
        checker = Checker(schema)
        try:
            with open(name, encoding="utf-8") as source:
                value = json.load(source, parse_constant=refuse_constant)
            checker.check(schema, value, "")
        except (OSError, ValueError) as error:
            checker.complain("", str(error))
        for problem in checker.problems:
            print(f"{name}: {problem}")
        is_good = is_good and not checker.problems
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

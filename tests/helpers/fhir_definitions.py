"""Checks a resource against R4's own definitions (``make build/fhir``), where ``fhir.resources`` lets things through.

From the StructureDefinitions: no element that there is not, none that is missing or too many, every code of a required
binding. From the code systems: every code and display of theirs. From ``fhir.schema.json``: formats of primitive types.
"""

import json
from functools import cached_property
from pathlib import Path

import jsonschema

FOLDER = Path(__file__).parents[2] / "build" / "fhir"

#: Value sets of required bindings that are too large to list: languages and media types have registries of their own.
UNLISTED = {"http://hl7.org/fhir/ValueSet/mimetypes", "http://hl7.org/fhir/ValueSet/all-languages"}

#: Came into HL7 Terminology after R4.
LATER = {("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "AIAST")}


class Definitions:
    """R4 4.0.1 as HL7 published it."""

    def __init__(self, folder=FOLDER / "r4"):
        self.folder = folder
        names = ("profiles-types", "profiles-resources", "valuesets", "v3-codesystems", "v2-tables")
        self.published = [entry["resource"] for name in names for entry in self.load(name)["entry"]]

    def load(self, name):
        return json.loads((self.folder / f"{name}.json").read_text())

    @cached_property
    def types(self):
        """Elements of every type, by their path."""
        made = [each for each in self.published if each["resourceType"] == "StructureDefinition"]
        return {
            each["type"]: {element["path"]: element for element in each["snapshot"]["element"]}
            for each in made
            if each.get("derivation") != "constraint"
        }

    @cached_property
    def systems(self):
        """Codes and displays of every complete code system, by its URL."""
        made = [each for each in self.published if each["resourceType"] == "CodeSystem" and each.get("concept")]
        return {each["url"]: dict(_concepts(each["concept"])) for each in made}

    @cached_property
    def value_sets(self):
        return {each["url"]: each["compose"] for each in self.published if each.get("compose")}

    @cached_property
    def schema(self):
        return self.load("fhir.schema")

    def faults(self, resource):
        """What is wrong with a resource: sentences, empty where nothing is."""
        kind = resource["resourceType"]
        schema = {"definitions": self.schema["definitions"], "$ref": f"#/definitions/{kind}"}
        validator = jsonschema.Draft6Validator(schema)
        inner = {**resource, "contained": []} if "contained" in resource else resource  # tried one by one below
        yield from (f"{kind}: {error.message[:300]}" for error in validator.iter_errors(inner))
        yield from self._object(resource, kind, kind)
        for contained in resource.get("contained", []):
            yield from self.faults(contained)

    def _object(self, value, kind, path):
        known = {}
        for element_path, element in self.types[kind].items():
            parent, _, name = element_path.rpartition(".")
            if parent == path:
                known |= {each: (element, each_kind) for each, each_kind in _names(name, element)}
        for name, each in value.items():
            if name == "resourceType" or name.startswith("_") or name == "contained":
                continue
            if name not in known:
                yield f"{path} has no element {name}"
                continue
            yield from self._element(each, *known[name])
        for element in {element["path"]: element for element, _ in known.values()}.values():
            names = [name for name, (other, _) in known.items() if other is element]
            if element["min"] and not any(name in value for name in names):
                yield f"{element['path']} is missing"

    def _element(self, value, element, kind):
        if isinstance(value, list) != (element["max"] != "1"):
            yield f"{element['path']} is a list, or should be one"
        for each in value if isinstance(value, list) else [value]:
            yield from self._bound(each, element, kind)
            if kind in ("BackboneElement", "Element"):
                yield from self._object(each, element["path"].split(".")[0], element["path"])
            elif kind[0].isupper() and "." not in kind:  # else a primitive type
                yield from self._object(each, kind, kind)
            if kind == "Coding" and (each["system"], each["code"]) not in LATER and each["system"] in self.systems:
                display = self.systems[each["system"]].get(each["code"])
                if display != each["display"]:
                    yield f"{each} is called {display!r}"

    def _bound(self, value, element, kind):
        binding = element.get("binding", {})
        if binding.get("strength") != "required" or binding["valueSet"].split("|")[0] in UNLISTED:
            return
        codes = {"code": [value], "Coding": [value]}.get(kind) or value.get("coding", [])
        for code in codes:
            if (code if kind == "code" else code["code"]) not in self.codes(binding["valueSet"].split("|")[0]):
                yield f"{element['path']}: {code!r} is not in {binding['valueSet']}"

    def codes(self, url):
        """The codes of a value set."""
        found = set()
        for include in self.value_sets[url]["include"]:
            for other in include.get("valueSet", []):
                found |= self.codes(other.split("|")[0])
            if "system" in include:
                listed = (concept["code"] for concept in include.get("concept", []))
                found |= set(listed) or set(self.systems[include["system"]])
        return found


def _concepts(concepts):
    for concept in concepts:
        yield concept["code"], concept.get("display")
        yield from _concepts(concept.get("concept", []))


def _names(name, element):
    """What an element may be called, and its type: ``value[x]`` is ``valueString``, ``valueQuantity`` ..."""
    kinds = [each["code"].rpartition("/")[2] for each in element.get("type", [])]
    if name.endswith("[x]"):
        return [(name[:-3] + kind[0].upper() + kind[1:], kind) for kind in kinds]
    return [(name, kinds[0])] if kinds else []

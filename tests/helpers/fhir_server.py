"""A server that does what R4 says about a transaction of conditional updates (https://hl7.org/fhir/R4/http.html#trules).

The whole bundle or nothing; a search that finds one resource updates it, none creates one, more is an error; then
references by ``urn:uuid`` become the server's own ids.
"""

import itertools
import json
from urllib.parse import parse_qsl, urlsplit


class Server:
    def __init__(self):
        self.stored = {}
        self.versions = {}
        self._ids = itertools.count(1)

    def transact(self, content):
        """Post a bundle; returns how many resources were created, how many updated."""
        bundle = json.loads(content)
        assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
        ids, statuses = {}, []
        for entry in bundle["entry"]:
            found = self._search(entry["request"])
            assert len(found) < 2, "412 Precondition Failed"
            kind = entry["resource"]["resourceType"]
            statuses.append("updated" if found else "created")
            ids[entry["fullUrl"]] = found[0] if found else f"{kind}/{next(self._ids)}"
        assert len(set(ids.values())) == len(bundle["entry"]), "two entries for one resource"
        for entry in bundle["entry"]:
            self._put(ids[entry["fullUrl"]], _resolved(entry["resource"], ids))
        return statuses.count("created"), statuses.count("updated")

    def of_kind(self, kind):
        return [resource for resource in self.stored.values() if resource["resourceType"] == kind]

    def only(self, kind):
        (resource,) = self.of_kind(kind)
        return resource

    def _put(self, at, resource):
        if self.stored.get(at) != resource:
            self.versions[at] = self.versions.get(at, 0) + 1
        self.stored[at] = resource

    def _search(self, request):
        assert request["method"] == "PUT"
        url = urlsplit(request["url"])
        ((parameter, token),) = parse_qsl(url.query)
        system, _, wanted = token.partition("|")
        found = []
        for at, resource in self.stored.items():
            if at.startswith(f"{url.path}/") and (system, wanted) in _tokens(resource, parameter):
                found.append(at)
        return found


def _tokens(resource, parameter):
    if parameter == "_tag":
        return [(tag["system"], tag["code"]) for tag in resource.get("meta", {}).get("tag", [])]
    assert parameter == "identifier"
    return [(each["system"], each["value"]) for each in resource["identifier"]]


def _resolved(value, ids):
    if isinstance(value, list):
        return [_resolved(each, ids) for each in value]
    if isinstance(value, dict):
        return {name: _resolved(each, ids) for name, each in value.items()} | _reference(value, ids)
    return value


def _reference(value, ids):
    target = value.get("reference", "#")
    return {} if target.startswith("#") else {"reference": ids[target]}

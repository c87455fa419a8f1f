// Somebody else's consumer, in another language: it has docs/asyncapi.json, docs/schemas and Kafka's bytes, and no Python.
//
//   node reader.mjs DOCS FILE…     each FILE holds one message's value; a line of JSON comes out for each
//
// {"file", "type", "subject", "version", "says"}: what was decoded, by type. `says` is null for a type that it does not know:
// events may be added, so that is passed over. Exit 1, with {"file", "refused": […]}, when a message is not what the documents say.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { argv, stdout } from "node:process";

import addFormats from "ajv-formats";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";

const [docs, ...files] = argv.slice(2);
const json = (path) => JSON.parse(readFileSync(path, "utf8"));

const asyncapi = json(join(docs, "asyncapi.json"));
const envelopes = addFormats(new Ajv({ allErrors: true, strict: false }));
envelopes.addSchema(asyncapi, "asyncapi.json");
const bodies = addFormats(new Ajv2020({ allErrors: true, strict: "log" }));

const pointer = (type) => `asyncapi.json#/components/messages/${type}/payload/schema`;

// What a consumer does with events: one arm for each type that it cares for, and the data is read by its published names.
const arms = {
  "alert.created": (alert) => `alert ${alert.alert}: ${alert.summary}`,
  "alert.accepted": (alert) => `alert ${alert.alert} is somebody's`,
  "alert.resolved": (alert) => `alert ${alert.alert} is over`,
  "escalation.level_reached": (level) =>
    `alert ${level.alert}: ${level.responders.map((each) => each.reason.text).join("; ")}`,
  "notification.sent": (sent) => `alert ${sent.alert} was told`,
  "user.changed": (user) => `user ${user.user}`,
};

function refusals(event) {
  const whole = envelopes.getSchema(pointer(event.type));
  whole(event);
  const found = [...(whole.errors ?? [])];
  const data = bodies.getSchema(`${event.type}.json`) ?? bodies.compile(json(join(docs, "schemas", `${event.type}.json`)));
  data(event.data);
  found.push(...(data.errors ?? []));
  return found.map((error) => `${error.instancePath || "/"} ${error.message}`);
}

function read(file) {
  const event = json(file);
  const [subject, version] = [event.subject, Number(event.id?.split("@").at(-1))];
  const line = { file: basename(file), type: event.type, subject, version, says: null };
  if (!(event.type in asyncapi.components.messages)) return line;
  const refused = refusals(event);
  if (refused.length > 0) return { file: basename(file), refused };
  const says = arms[event.type] ?? ((data) => Object.keys(data).sort().join(" "));
  return { ...line, says: says(event.data) };
}

const lines = files.map(read);
for (const line of lines) stdout.write(`${JSON.stringify(line)}\n`);
process.exitCode = lines.some((line) => line.refused) ? 1 : 0;

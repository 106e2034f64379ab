// The main job, by a client that is made from openapi.yaml: if it compiles, the types are right.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Verdict = components["schemas"]["Verdict"];

const [url, memory] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl: url });

function must<T>(data: T | undefined, error: components["schemas"]["Problem"] | undefined): T {
  if (data === undefined) throw new Error(error ? `${error.code}: ${error.detail}` : "no data");
  return data;
}

function same(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what} is ${actual}, not ${expected}`);
}

const id = "web-42-before-upgrade";
const params = { path: { id } };

const created = await client.POST("/snapshots", {
  body: {
    id,
    memory_file_path: memory,
    openvmm_version: "0.0.0",
    vp_count: 2,
    architecture: "x86_64",
    labels: { vm: "web-42" },
  },
});
same("status of the create", created.response.status, 201);
const { status, labels } = must(created.data, created.error);
same("status of the snapshot", status, "ready");
same("its label", labels.vm, "web-42");

const got = await client.GET("/snapshots/{id}/manifest", {
  params,
  headers: { Accept: "application/json" },
});
const manifest = must(got.data, got.error);
if (typeof manifest === "string") throw new Error("protobuf instead of JSON");
same("vp_count", manifest.vp_count, 2);
same("memory_size_bytes", manifest.memory_size_bytes, 4096);

const judged = await client.POST("/snapshots/{id}/validate", { params, body: { vp_count: 3 } });
const verdict: Verdict = must(judged.data, judged.error);
same("valid", verdict.valid, false);
same("the mismatch", verdict.mismatches[0]?.field, "vp_count");

const listed = await client.GET("/snapshots", { params: { query: { limit: 10, include: "live" } } });
const page = must(listed.data, listed.error);
same("the list", page.snapshots.map((one) => one.id).join(), id);
same("the next page", page.next, null);

same("status of the removal", (await client.DELETE("/snapshots/{id}", { params })).response.status, 204);
const gone = await client.GET("/snapshots/{id}", { params });
same("the problem", gone.error?.code, "not_found");

// grpc-js judges a server of the layer: node judge.js health|reflection|errors
// PROTO names the folder of the protocol files, SOCKET the server's Unix socket.
import assert from "node:assert/strict";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const address = `unix:${process.env.SOCKET}`;
const credentials = grpc.credentials.createInsecure();
const load = (file) =>
  grpc.loadPackageDefinition(
    loadSync(file, { includeDirs: [process.env.PROTO], keepCase: true, enums: String }),
  );

const answer = (client, method, request, options = {}) =>
  new Promise((resolve) =>
    client[method](request, new grpc.Metadata(), options, (error, response) =>
      resolve({ error, response }),
    ),
  );

async function health() {
  const { Health } = load("health.proto").grpc.health.v1;
  const client = new Health(address, credentials);
  assert.equal((await answer(client, "Check", { service: "" })).response.status, "SERVING");
  assert.equal((await answer(client, "Check", { service: "a" })).response.status, "NOT_SERVING");
  const { error } = await answer(client, "Check", { service: "unknown" });
  assert.equal(error.code, grpc.status.NOT_FOUND);
  const watch = client.Watch({ service: "" });
  const first = await new Promise((resolve) => watch.once("data", resolve));
  assert.equal(first.status, "SERVING");
  watch.on("error", () => {});
  watch.cancel();
  client.close();
}

async function reflection() {
  for (const [file, version] of [
    ["reflection.proto", "v1"],
    ["reflection_v1alpha.proto", "v1alpha"],
  ]) {
    const { ServerReflection } = load(file).grpc.reflection[version];
    const client = new ServerReflection(address, credentials);
    const stream = client.ServerReflectionInfo();
    const next = () => new Promise((resolve) => stream.once("data", resolve));
    stream.write({ list_services: "*" });
    const names = (await next()).list_services_response.service.map((each) => each.name);
    assert.ok(names.includes("grpc.health.v1.Health") && names.includes("echo.Echo"));
    stream.write({ file_containing_symbol: "grpc.health.v1.Health" });
    const files = (await next()).file_descriptor_response.file_descriptor_proto;
    assert.ok(files[0].includes("HealthCheckRequest"));
    stream.end();
    await new Promise((resolve) => stream.once("end", resolve));
    client.close();
  }
}

const Echo = grpc.makeClientConstructor(
  Object.fromEntries(
    ["Say", "SayLater", "Unanswered"].map((name) => [
      name,
      {
        path: `/echo.Echo/${name}`,
        requestStream: false,
        responseStream: false,
        // A message whose first field is a text.
        requestSerialize: (text) =>
          Buffer.concat([Buffer.from([0x0a, text.length]), Buffer.from(text)]),
        requestDeserialize: (bytes) => bytes,
        responseSerialize: (bytes) => bytes,
        responseDeserialize: (bytes) => bytes.subarray(2).toString(),
      },
    ]),
  ),
);

async function errors() {
  const client = new Echo(address, credentials);
  assert.equal((await answer(client, "Say", "hello")).response, "hello");
  const { error } = await answer(client, "Say", "refuse");
  assert.equal(error.code, grpc.status.PERMISSION_DENIED);
  assert.equal(error.details, "no, naïve 100%");
  const [details] = error.metadata.get("grpc-status-details-bin");
  assert.ok(details.includes("spire.api.types.PermissionDeniedDetails"));
  const bug = await answer(client, "Say", "bug");
  assert.equal(bug.error.code, grpc.status.INTERNAL);
  assert.equal(bug.error.details, "internal error");
  const unknown = await answer(client, "Unanswered", "x");
  assert.equal(unknown.error.code, grpc.status.UNIMPLEMENTED);
  const late = await answer(client, "SayLater", "x", { deadline: Date.now() + 50 });
  assert.equal(late.error.code, grpc.status.DEADLINE_EXCEEDED);
  client.close();
}

await { health, reflection, errors }[process.argv[2]]();

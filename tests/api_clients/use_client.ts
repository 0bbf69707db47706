// Uses the API through the generated types. tsc checks every name and value; the test checks what is printed.

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

const [url, token] = process.argv.slice(2) as [string, string];
const api = createClient<paths, "application/json">({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

type Redemption = components["schemas"]["RedemptionView"];
type ErrorCode = components["schemas"]["ErrorCode"];

async function walk(): Promise<Redemption[]> {
  const found: Redemption[] = [];
  let cursor: string | undefined;
  for (;;) {
    const { data, error } = await api.GET("/api/v1/redemptions", { params: { query: { pageSize: 2, cursor } } });
    if (error) throw new Error(error.error.message);
    found.push(...data.data.items);
    const next = data.data.pagination.nextCursor;
    if (!next) return found;
    cursor = next;
  }
}

const redemptions = await walk();
const statuses: components["schemas"]["RedemptionStatus"][] = redemptions.map((redemption) => redemption.status);

const missing = await api.GET("/api/v1/redemptions/{requestId}", { params: { path: { requestId: "4711" } } });
const code: ErrorCode | undefined = missing.error?.error.code;

const me = await api.GET("/api/v1/auth/me");

const events = await api.GET("/api/v1/risk/events", { params: { query: { status: "OPEN" } } });
const event = events.data!.data.items[0]!;
const acknowledged = await api.POST("/api/v1/risk/events/{eventId}/acknowledge", {
  params: { path: { eventId: event.id } },
  body: { note: "seen" },
});

const history = await api.GET("/api/v1/fund/nav/history", { params: { query: { interval: "daily" } } });
const tag = history.response.headers.get("ETag")!;
const unchanged = await api.GET("/api/v1/fund/nav/history", {
  params: { query: { interval: "daily" }, header: { "If-None-Match": tag } },
});

const refused = await api.GET("/api/v1/redemptions", { params: { query: { cursor: "of another list" } } });

// What the document does not allow does not compile.
// @ts-expect-error: no such status
(async () => api.GET("/api/v1/risk/events", { params: { query: { status: "SHUT" } } }));
// @ts-expect-error: no such field
redemptions.map((redemption) => redemption.amount);
// @ts-expect-error: a reason is text
(async () => api.POST("/api/v1/risk/events/{eventId}/acknowledge", { params: { path: { eventId: 1 } }, body: { note: 1 } }));

console.log(
  JSON.stringify({
    requestIds: redemptions.map((redemption) => redemption.requestId),
    statuses,
    missing: [missing.response.status, code],
    role: me.data!.data.role,
    acknowledged: acknowledged.data!.data.status,
    unchanged: unchanged.response.status,
    refused: refused.error?.error.details?.map((detail) => detail.code),
  }),
);

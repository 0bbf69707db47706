import { ponder } from "ponder:registry";
import { holder, transfer } from "ponder:schema";

ponder.on("Vault:Transfer", async ({ event, context }) => {
  const { from, to, value } = event.args;
  await context.db.insert(transfer).values({
    id: event.id,
    block: event.block.number,
    timestamp: event.block.timestamp,
    transaction: event.transaction.hash,
    sender: from,
    recipient: to,
    value,
  });
  await context.db
    .insert(holder)
    .values({ id: from, balance: -value })
    .onConflictDoUpdate((row) => ({ balance: row.balance - value }));
  await context.db
    .insert(holder)
    .values({ id: to, balance: value })
    .onConflictDoUpdate((row) => ({ balance: row.balance + value }));
});

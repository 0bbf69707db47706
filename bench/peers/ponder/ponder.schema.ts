// What is stored: each Transfer of the vault's shares, and what everybody holds by them.
import { onchainTable } from "ponder";

export const transfer = onchainTable("transfer", (t) => ({
  id: t.text().primaryKey(),
  block: t.bigint().notNull(),
  timestamp: t.bigint().notNull(),
  transaction: t.hex().notNull(),
  sender: t.hex().notNull(),
  recipient: t.hex().notNull(),
  value: t.bigint().notNull(),
}));

export const holder = onchainTable("holder", (t) => ({
  id: t.hex().primaryKey(),
  balance: t.bigint().notNull(),
}));

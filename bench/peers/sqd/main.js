// Reads the vault's Transfers from FROM to TO over JSON-RPC into PostgreSQL, and ends.
const {EvmBatchProcessor} = require('@subsquid/evm-processor')
const {TypeormDatabase} = require('@subsquid/typeorm-store')
const {Transfer, Holder} = require('./lib/model')

const TRANSFER = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef'
const {RPC_URL, VAULT, FROM, TO} = process.env

const processor = new EvmBatchProcessor()
    .setRpcEndpoint({url: RPC_URL, capacity: 10, maxBatchCallSize: 100})
    .setFinalityConfirmation(2)
    .setBlockRange({from: Number(FROM), to: Number(TO)})
    .setFields({log: {transactionHash: true}})
    .addLog({address: [VAULT.toLowerCase()], topic0: [TRANSFER]})

const balances = new Map()
const account = topic => '0x' + topic.slice(26)

processor.run(new TypeormDatabase({supportHotBlocks: false}), async ctx => {
    const transfers = []
    const touched = new Map()
    const move = (who, value) => {
        balances.set(who, (balances.get(who) ?? 0n) + value)
        touched.set(who, balances.get(who))
    }
    for (const block of ctx.blocks) {
        for (const log of block.logs) {
            const [sender, recipient] = [account(log.topics[1]), account(log.topics[2])]
            const value = BigInt(log.data)
            transfers.push(new Transfer({
                id: log.id, block: block.header.height, timestamp: new Date(block.header.timestamp),
                transaction: log.transactionHash, sender, recipient, value
            }))
            move(sender, -value)
            move(recipient, value)
        }
    }
    await ctx.store.insert(transfers)
    await ctx.store.upsert([...touched].map(([id, balance]) => new Holder({id, balance})))
})

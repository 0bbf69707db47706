// What is stored: each Transfer of the vault's shares, and what everybody holds by them.
const {EntitySchema} = require('typeorm')

class Transfer {
    constructor(fields) {
        Object.assign(this, fields)
    }
}

class Holder {
    constructor(fields) {
        Object.assign(this, fields)
    }
}

const amount = {type: 'numeric', transformer: {to: String, from: BigInt}}

exports.Transfer = Transfer
exports.Holder = Holder
exports.TransferSchema = new EntitySchema({
    name: 'Transfer',
    target: Transfer,
    columns: {
        id: {type: String, primary: true},
        block: {type: Number},
        timestamp: {type: 'timestamptz'},
        transaction: {type: String},
        sender: {type: String},
        recipient: {type: String},
        value: amount
    }
})
exports.HolderSchema = new EntitySchema({
    name: 'Holder',
    target: Holder,
    columns: {id: {type: String, primary: true}, balance: amount}
})

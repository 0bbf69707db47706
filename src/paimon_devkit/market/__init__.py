"""The simulated market: investors, prices, a portfolio manager and an admin, acting on the test fund's chain.

The market stands apart from the product and knows nothing of it. It reads and writes the chain only, as persons and markets do,
and it holds none of the application's keys. Everything follows from a seed and the state it starts from.

    actions.py       actions, as values              observer.py   read the market's state from the chain
    market_state.py  the fund and its investors      calls.py      the transactions of an action
    predict.py       the state after an action;      executor.py   perform actions in order
    flows.py         its flows                       history.py    generate months in a minute
    investors.py     propose actions: investors      live.py       act beside a running demo
    traders.py       the portfolio manager           setup.py      prepare the chain once
    admins.py        the admin                       summary.py    count what was done and what reverted
    prices.py        prices                          command.py    `paimon market …`
    generator.py     choose the next action          exchange.py   contracts, tokens and accounts
    config.py        how busy the market is          node.py       JSON-RPC to the local chain
"""

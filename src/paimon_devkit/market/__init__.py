"""The simulated market: investors, prices, a portfolio manager and an admin, acting on the test fund's chain.

It stands apart from the product and knows nothing of it: it reads and writes the chain only, as people and markets do, and
with none of the house's keys. Everything follows from a seed and the state it starts from.

    actions.py   what can happen, as values          observe.py  the world read from the chain
    world.py     the fund and its investors, as far  calls.py    an action as transactions
                 as decisions need them              stage.py    performing actions, in their order
    predict.py, flows.py  the world after an action  history.py  months in a minute (`generate_history`)
    investors.py, traders.py, admins.py, prices.py   live.py     beside a running demo
                 who would do what, given the world  summary.py  what came of it
    generator.py draws the next action               command.py  `paimon market …`
"""

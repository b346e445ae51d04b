"""amoCRM REST v4 behind the port `AmoCrm`.

gateway builds rest (the port) → lists, workload, writing → client (HTTP) → answers, retry, tokens, budget.
"""

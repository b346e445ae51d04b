"""amoCRM REST v4 behind the port `AmoCrm`.

gateway builds rest (the port) → reader, unsorted, workload, lead_writer, activity → lists (reading), writing (payloads,
standing) → client (HTTP) → answers, retry, tokens, budget.
"""

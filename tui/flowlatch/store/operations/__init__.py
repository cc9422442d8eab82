"""Every mutation once, for every database: `operation(tx, *, inputs…) -> payload`.

Inputs are named as on the wire in snake_case (contract.md §2) and are plain values: ids as lower-case text, times as
stored text (`store.times`), JSON as dicts and lists. None stands for absent and for null. The result is a dict of the
fields of the mutation's payload. A refusal is a `base.Refusal`; the savepoint around the operation undoes what it did.
"""

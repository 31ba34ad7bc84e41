"""Writes rows as Parquet with pyarrow: write-parquet.py FILE CODEC ROWS FLOATS TEXTS. Row groups of 10,000 rows, as data sets for training are mostly written."""
import sys

import numpy
import pyarrow
import pyarrow.parquet

file, codec, rows, floats, texts = sys.argv[1:]
rows = int(rows)
values = numpy.fromfile(floats, dtype="<f4")
with open(texts, encoding="utf-8") as lines:
    texts = lines.read().splitlines()
dimensions = len(values) // rows
offsets = numpy.arange(0, len(values) + 1, dimensions, dtype="<i4")
table = pyarrow.table(
    {
        "id": pyarrow.array(range(1, rows + 1), pyarrow.int64()),
        "text": texts,
        "vector": pyarrow.ListArray.from_arrays(offsets, values),
    }
)
pyarrow.parquet.write_table(table, file, compression=codec, row_group_size=10000)
print("{}")

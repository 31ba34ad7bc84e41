"""Writes rows as an Arrow file with pyarrow: write-arrow.py FILE CODEC ROWS FLOATS TEXTS. Batches of 65,536 rows and LZ4 are what Feather files have."""
import sys

import numpy
import pyarrow
import pyarrow.ipc

file, codec, rows, floats, texts = sys.argv[1:]
rows = int(rows)
values = numpy.memmap(floats, dtype="<f4", mode="r")
with open(texts, encoding="utf-8") as lines:
    texts = lines.read().splitlines()
dimensions = len(values) // rows
schema = pyarrow.schema(
    [("id", pyarrow.int64()), ("text", pyarrow.string()), ("vector", pyarrow.list_(pyarrow.float32()))]
)
with pyarrow.ipc.new_file(file, schema, options=pyarrow.ipc.IpcWriteOptions(compression=codec)) as writer:
    for start in range(0, rows, 65536):
        end = min(rows, start + 65536)
        numbers = numpy.ascontiguousarray(values[start * dimensions : end * dimensions])
        offsets = numpy.arange(0, len(numbers) + 1, dimensions, dtype="<i4")
        columns = [
            pyarrow.array(range(start + 1, end + 1), pyarrow.int64()),
            pyarrow.array(texts[start:end]),
            pyarrow.ListArray.from_arrays(offsets, numbers),
        ]
        writer.write_batch(pyarrow.record_batch(columns, schema=schema))
print("{}")

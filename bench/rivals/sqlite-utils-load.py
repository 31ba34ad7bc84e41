"""Inserts rows with sqlite-utils as its documentation shows and prints its own figures as JSON: sqlite-utils-load.py DATABASE ROWS FLOATS TEXTS."""
import json
import resource
import sys
import time

import numpy
import sqlite_utils

database, rows, floats, texts = sys.argv[1:]
rows = int(rows)
vectors = numpy.fromfile(floats, dtype="<f4").reshape(rows, -1)
with open(texts, encoding="utf-8") as lines:
    texts = lines.read().splitlines()
items = [{"id": index + 1, "text": texts[index], "vector": vectors[index].tobytes()} for index in range(rows)]

db = sqlite_utils.Database(database)
db.execute("PRAGMA synchronous = FULL")
started, cpu = time.perf_counter(), time.process_time()
db["rows"].insert_all(items, pk="id", batch_size=20000)
db.close()
elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"ms": elapsed * 1000, "cpuMs": cpu * 1000, "peakRssBytes": peak}))

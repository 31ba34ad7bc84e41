"""Loads rows with psycopg 3 and pgvector-python and prints its own figures as JSON: psycopg-load.py WAY URL ROWS DIMENSIONS FLOATS TEXTS."""
import json
import resource
import sys
import time

import numpy
import psycopg
from pgvector.psycopg import register_vector

way, url, rows, dimensions, floats, texts = sys.argv[1:]
rows, dimensions = int(rows), int(dimensions)
vectors = numpy.fromfile(floats, dtype="<f4").reshape(rows, dimensions)
with open(texts, encoding="utf-8") as lines:
    texts = lines.read().splitlines()


def copy(connection):
    """As pgvector-python's example loads: binary, one write_row per row."""
    with connection.cursor().copy("COPY items (id, text, vector) FROM STDIN WITH (FORMAT BINARY)") as copying:
        copying.set_types(["int8", "text", "vector"])
        for index in range(rows):
            copying.write_row([index + 1, texts[index], vectors[index]])


def executemany(connection):
    """Pipelined statements, a thousand rows a transaction."""
    cursor = connection.cursor()
    for start in range(0, rows, 1000):
        block = [(index + 1, texts[index], vectors[index]) for index in range(start, min(rows, start + 1000))]
        cursor.executemany("INSERT INTO items (id, text, vector) VALUES (%s, %s, %b)", block)
        connection.commit()


with psycopg.connect(url) as connection:
    register_vector(connection)
    started, cpu = time.perf_counter(), time.process_time()
    {"copy": copy, "executemany": executemany}[way](connection)
    connection.commit()
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"ms": elapsed * 1000, "cpuMs": cpu * 1000, "peakRssBytes": peak}))

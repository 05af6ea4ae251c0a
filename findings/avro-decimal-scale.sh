#!/usr/bin/env bash
# Apache Avro for Python (1.12.2) writes a decimal that has fewer digits than its field's scale as another number, without an error:
# a bid price of 1.2 in decimal(18,6) is stored as 0.000012, by the unscaled digits. The Avro specification stores unscaled = value * 10^scale,
# so 1200000 is right, as fastavro 1.13.1 has it; both read back what is stored. A price with too many digits is refused by both.
# Until it is mended: price.quantize(Decimal("0.000001")) before it is written.
# Needs Python 3 with venv. Fails if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check avro==1.12.2 fastavro==1.13.1
"$folder/venv/bin/python" - <<'PYTHON' | tee "$folder/seen"
import importlib.metadata, io, json
from decimal import Decimal
import avro.io, avro.schema, fastavro

SCHEMA = json.dumps({"type": "record", "name": "Bid", "fields": [
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 6}}]})
OF_AVRO, OF_FASTAVRO = avro.schema.parse(SCHEMA), fastavro.parse_schema(json.loads(SCHEMA))

def by_avro(price):
    out = io.BytesIO()
    avro.io.DatumWriter(OF_AVRO).write({"price": price}, avro.io.BinaryEncoder(out))
    return out.getvalue()

def by_fastavro(price):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, OF_FASTAVRO, {"price": price})
    return out.getvalue()

def seen(write, price):
    try:
        return fastavro.schemaless_reader(io.BytesIO(write(price)), OF_FASTAVRO)["price"]
    except (avro.errors.AvroOutOfScaleException, ValueError):
        return "refused"

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("avro", "fastavro")))
for text in "1.2", "0.78", "1E+2", "1.200000", "1.2345678":
    price = Decimal(text)
    print(f"{text}: avro {seen(by_avro, price)}, fastavro {seen(by_fastavro, price)}, quantized {'-' if text == '1.2345678' else seen(by_avro, price.quantize(Decimal('0.000001')))}")
PYTHON
diff - "$folder/seen" <<'EXPECTED'
avro 1.12.2 fastavro 1.13.1
1.2: avro 0.000012, fastavro 1.200000, quantized 1.200000
0.78: avro 0.000078, fastavro 0.780000, quantized 0.780000
1E+2: avro 0.000001, fastavro 100.000000, quantized 100.000000
1.200000: avro 1.200000, fastavro 1.200000, quantized 1.200000
1.2345678: avro refused, fastavro refused, quantized -
EXPECTED
